//! The doors: for a TCP address one listening socket a core, all on one port; for a Unix socket
//! one, which all cores share.

use crate::{data_plane::accept::Door, lexicon::listen::Listen};
use rustix::{fd::OwnedFd, net::AddressFamily};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Connections that the kernel holds for us while a core is busy.
const BACKLOG: i32 = 4_096;

/// A place that is listened on.
pub struct Bound {
    /// With the port that the kernel chose where 0 was asked for.
    pub listen: Listen,
    /// One or more for each core.
    pub by_core: Vec<Vec<Door>>,
    /// What is left behind in the file system, and is removed with this.
    pub file: Option<SocketFile>,
}

/// The file of a Unix socket; it is removed when this is dropped.
pub struct SocketFile {
    path: PathBuf,
    /// So that a file that another has put in its place stays.
    inode: u64,
}

/// Listen on `listen` with each core. With port 0 the kernel chooses, once for all. A Unix socket's
/// file gets `mode`.
///
/// # Errors
/// Whatever binding says; also where another process listens there already, be it with
/// `SO_REUSEPORT` or without: two gateways must not share a port unknowingly.
pub fn bind(listen: &Listen, cores: usize, mode: u32) -> io::Result<Bound> {
    let door = |listener, family, is_inherited| Door { listener, family, is_inherited };
    match listen {
        Listen::Tcp(address) => {
            let listeners = bind_tcp(*address, cores)?;
            let address = listeners.first().map(TcpListener::local_addr).transpose()?;
            let listen = Listen::Tcp(address.ok_or(io::ErrorKind::InvalidInput)?);
            let doors = listeners.into_iter().map(OwnedFd::from);
            let by_core = doors.map(|it| vec![door(it, AddressFamily::INET, false)]).collect();
            Ok(Bound { listen, by_core, file: None })
        }
        Listen::Unix(path) => {
            let (listener, file) = bind_unix(path, mode)?;
            let own = |_| Ok(vec![door(listener.try_clone()?, AddressFamily::UNIX, false)]);
            let by_core = (0..cores).map(own).collect::<io::Result<_>>()?;
            Ok(Bound { listen: listen.clone(), by_core, file: Some(file) })
        }
        Listen::Inherited => {
            let inherited = inherit()?;
            let own = |_| {
                let doors = inherited.iter();
                doors.map(|(it, family)| Ok(door(it.try_clone()?, *family, true))).collect()
            };
            let by_core = (0..cores).map(own).collect::<io::Result<_>>()?;
            Ok(Bound { listen: Listen::Inherited, by_core, file: None })
        }
    }
}

/// The sockets of `LISTEN_FDS`.
fn inherit() -> io::Result<Vec<(OwnedFd, AddressFamily)>> {
    let mut given = listenfd::ListenFd::from_env();
    let mut doors = Vec::with_capacity(given.len());
    for index in 0..given.len() {
        // Each try leaves a socket of the other kind where it is.
        let door: Option<(OwnedFd, _)> = match given.take_tcp_listener(index) {
            Ok(tcp) => tcp.map(|it| (it.into(), AddressFamily::INET)),
            Err(_) => given.take_unix_listener(index)?.map(|it| (it.into(), AddressFamily::UNIX)),
        };
        doors.extend(door);
    }
    if doors.is_empty() {
        let text = "LISTEN_FDS and LISTEN_PID name no socket of this process: start it by socket \
                    activation, or give --listen an address";
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    for (door, _) in &doors {
        rustix::io::ioctl_fionbio(door, true)?;
    }
    Ok(doors)
}

fn bind_tcp(address: SocketAddr, cores: usize) -> io::Result<Vec<TcpListener>> {
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

/// Its mode is set before it listens: until then nobody can connect.
fn bind_unix(path: &Path, mode: u32) -> io::Result<(OwnedFd, SocketFile)> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

/// The file of a gateway that was killed stays behind: it is removed where nobody answers.
fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        let text = "something that is no socket is there: remove it, or name another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Also where its backlog is full: somebody is there.
        Ok(()) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::ErrorKind::AddrInUse.into())
        }
        Err(error) => Err(error),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // Whoever took it away has done what is to be done.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bind;
    use crate::lexicon::listen::Listen;
    use std::{fs, io::ErrorKind, os::unix::fs::PermissionsExt};

    #[test]
    fn two_gateways_cannot_have_the_same_port() {
        let first = bind(&Listen::Tcp(([127, 0, 0, 1], 0).into()), 2, 0).expect("a free port");
        assert_eq!(first.by_core.len(), 2);

        let second = bind(&first.listen, 1, 0);

        assert_eq!(second.map(|_| ()).expect_err("taken").kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn the_file_of_a_socket_is_taken_over_only_where_nobody_listens() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weir.sock");
        let listen = Listen::Unix(path.clone());
        let kind = |bound: std::io::Result<super::Bound>| bound.map(|_| ()).map_err(|it| it.kind());

        let first = bind(&listen, 2, 0o640).expect("a free path");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(kind(bind(&listen, 1, 0o640)), Err(ErrorKind::AddrInUse));
        drop(first);
        assert!(!path.exists(), "it is removed with its listener");

        drop(std::os::unix::net::UnixListener::bind(&path).expect("a free path"));
        assert!(path.exists(), "a killed gateway leaves it");
        assert_eq!(kind(bind(&listen, 1, 0o640)), Ok(()));

        fs::write(&path, "words").expect("the folder is ours");
        assert_eq!(kind(bind(&listen, 1, 0o640)), Err(ErrorKind::AlreadyExists));
        assert!(path.exists());
    }
}
