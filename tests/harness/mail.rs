//! What takes mail: an SMTP server over TLS that asks for a name and a password.

use super::{DEADLINE, tls::Pair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs::default_provider,
    pki_types::PrivateKeyDer,
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// A mail server.
pub struct MailServer {
    pub address: SocketAddr,
    mails: Receiver<Mail>,
}

/// One mail, as it was handed over.
#[derive(Debug, Default)]
pub struct Mail {
    /// What was said before, a line each: name and password in base64, sender, recipients.
    pub said: Vec<String>,
    /// Head and body.
    pub text: String,
}

impl MailServer {
    /// Speaks TLS from the first byte, or after `STARTTLS`.
    pub fn start(pair: &Pair, is_wrapped: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let key = PrivateKeyDer::try_from(pair.key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![pair.certificate.der().clone()], key)
            .expect("a pair");
        let config = Arc::new(config);
        let (sender, mails) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that breaks off is its own affair.
                let _ = talk(stream, is_wrapped, &config, &sender);
            }
        });
        Self { address, mails }
    }

    /// The next mail.
    pub fn next(&self) -> Mail {
        self.mails.recv_timeout(DEADLINE).expect("a mail comes")
    }

    /// Has nobody handed it a mail?
    pub fn is_unasked(&self) -> bool {
        self.mails.try_recv().is_err()
    }
}

fn talk(
    mut stream: TcpStream,
    is_wrapped: bool,
    config: &Arc<ServerConfig>,
    mails: &Sender<Mail>,
) -> io::Result<()> {
    if !is_wrapped {
        stream.write_all(b"220 mail.test\r\n")?;
        let mut plain = BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("STARTTLS") {
            line.clear();
            if plain.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let reply: &[u8] = match line.get(..4) {
                Some("EHLO") => b"250-mail.test\r\n250 STARTTLS\r\n",
                Some("STAR") => b"220 go ahead\r\n",
                _ => b"530 STARTTLS first\r\n",
            };
            plain.get_mut().write_all(reply)?;
        }
        stream = plain.into_inner();
    }
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    if is_wrapped {
        stream.get_mut().write_all(b"220 mail.test\r\n")?;
    }
    take(&mut stream, mails)
}

fn take<S: Read + Write>(stream: &mut BufReader<S>, mails: &Sender<Mail>) -> io::Result<()> {
    let mut mail = Mail::default();
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let said = line.trim_end().to_owned();
        let reply: &[u8] = match said.get(..4) {
            Some("EHLO") => b"250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
            Some("AUTH") => b"235 welcome\r\n",
            Some("MAIL" | "RCPT") => b"250 fine\r\n",
            Some("DATA") => b"354 go on\r\n",
            Some("QUIT") => b"221 bye\r\n",
            _ => b"502 what?\r\n",
        };
        stream.get_mut().write_all(reply)?;
        if !said.starts_with("DATA") {
            mail.said.push(said);
            continue;
        }
        while !mail.text.ends_with("\r\n.\r\n") {
            if stream.read_line(&mut mail.text)? == 0 {
                return Ok(());
            }
        }
        stream.get_mut().write_all(b"250 taken\r\n")?;
        if mails.send(std::mem::take(&mut mail)).is_err() {
            return Ok(());
        }
    }
}
