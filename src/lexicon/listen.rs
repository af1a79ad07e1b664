//! Where clients come in, as an operator writes it.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// A place to listen.
///
/// **Shape**: `127.0.0.1:8787`, `[::1]:8787`, `unix:/run/weir.sock` or `inherited`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// The sockets that whoever started this process listens on, and goes on listening on when it
    /// has ended. **Source**: `sd_listen_fds(3)`.
    Inherited,
}

/// The longest path of a socket. **Source**: unix(7), `sun_path` less its final zero.
const PATH_BYTES_MAX: usize = 107;

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "inherited" {
            return Ok(Self::Inherited);
        }
        let Some(path) = text.strip_prefix("unix:") else {
            let wanted =
                "wanted an address with its port, e.g. 127.0.0.1:8787, unix:/PATH or inherited";
            return text.parse().map(Self::Tcp).map_err(|_| wanted.to_owned());
        };
        if !path.starts_with('/') || path.ends_with('/') {
            return Err("wanted the absolute path of a socket, e.g. unix:/run/weir.sock".into());
        }
        if path.len() > PATH_BYTES_MAX || path.contains('\0') {
            return Err(format!("a socket's path has at most {PATH_BYTES_MAX} bytes"));
        }
        Ok(Self::Unix(path.into()))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited => f.write_str("inherited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[test]
    fn a_place_to_listen_reads_as_it_is_written() {
        for text in ["127.0.0.1:8787", "[::1]:0", "unix:/run/weir.sock", "inherited"] {
            assert_eq!(text.parse::<Listen>().expect(text).to_string(), text);
        }
        let long = format!("unix:/{}", "x".repeat(107));
        for text in ["", "8787", "localhost:1", "unix:", "unix:run/x", "unix:/run/", &long] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}
