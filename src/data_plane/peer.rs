//! Who is at the other end of a client connection, and for whom it asks.

use crate::{
    data_plane::inbound::Request,
    lexicon::settings::{ForwardedHeader, Proxies},
    wire::forwarded,
};
use rustix::net::SocketAddrAny;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection.
#[derive(Clone, Default)]
pub struct Peer {
    /// An IP address, or `unix:UID` with the user of the process that connected; for receipts.
    pub address: Box<str>,
    /// It may say for whom it asks.
    pub is_trusted: bool,
    /// The subject of the certificate that it has proved to hold; empty is none.
    pub certificate: Box<str>,
}

impl Peer {
    /// Who connected to a TCP socket.
    pub fn of_address(address: IpAddr, proxies: &Proxies) -> Self {
        let address = address.to_canonical();
        Self {
            address: address.to_string().into(),
            is_trusted: proxies.trust(address),
            certificate: Box::default(),
        }
    }

    /// Who connected to a Unix socket: whoever may open its file is trusted.
    pub fn of_user(user: Option<u32>) -> Self {
        let address = user.map_or_else(|| "unix".to_owned(), |user| format!("unix:{user}"));
        Self { address: address.into(), is_trusted: true, certificate: Box::default() }
    }

    /// The address on whose behalf this request comes, as far as that can be believed.
    pub fn client_address<'r>(&'r self, proxies: &Proxies, request: &Request<'r>) -> &'r str {
        if !self.is_trusted {
            return &self.address;
        }
        let name: &[u8] = match proxies.header {
            ForwardedHeader::XForwardedFor => b"x-forwarded-for",
            ForwardedHeader::Forwarded => b"forwarded",
        };
        let lines = request.head.headers.iter().rev();
        let lines = lines.map(|(name, value)| (name.of(request.bytes), value.of(request.bytes)));
        let lines = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let values = lines.map(|(_, value)| value);
        let client = forwarded::client(values, proxies.header, |address| proxies.trust(address));
        client.unwrap_or(&self.address)
    }
}

/// The address of a socket, where it has one.
pub fn address_of(any: Option<SocketAddrAny>) -> Option<IpAddr> {
    any.and_then(|any| SocketAddr::try_from(any).ok()).map(|address| address.ip())
}
