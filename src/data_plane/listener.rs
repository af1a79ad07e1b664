//! The doors: one listening socket a core for each address, all on one port.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{SocketAddr, TcpListener},
};

/// Connections that the kernel holds for us while a core is busy.
const BACKLOG: i32 = 4_096;

/// Bind `address` once for each core. With port 0 the kernel chooses, once for all.
///
/// # Errors
/// Whatever binding says; also where another process listens on that port already, be it with
/// `SO_REUSEPORT` or without: two gateways must not share a port unknowingly.
pub fn bind(address: SocketAddr, cores: usize) -> io::Result<Vec<TcpListener>> {
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    probe.listen(1)?;
    let address = TcpListener::from(probe).local_addr()?;

    (0..cores)
        .map(|_| {
            let socket = socket(address)?;
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(TcpListener::from(socket))
        })
        .collect()
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::bind;

    #[test]
    fn two_gateways_cannot_have_the_same_port() {
        let first = bind(([127, 0, 0, 1], 0).into(), 2).expect("a free port");
        let address = first[0].local_addr().expect("bound");
        assert_eq!(first[1].local_addr().expect("bound"), address);

        let second = bind(address, 1);

        assert_eq!(second.expect_err("taken").kind(), std::io::ErrorKind::AddrInUse);
    }
}
