//! New connections: every address is tried, TLS on top where the endpoint wants it.

use crate::{
    data_plane::{
        alarm::Ring,
        clock::Clock,
        downlink::Downlink,
        link::{Link, Socket},
        tls::{Session, client_config},
        upstream::call::{Failure, interrupted},
    },
    lexicon::{fault::Fault, ids::EndpointKey, time::Moment},
    provider::target::{Endpoint, TlsTrust},
};
use monoio::net::{TcpStream, UnixStream};
use rustls::{ClientConfig, RootCertStore};
use std::{cell::RefCell, collections::HashMap, net::SocketAddr, sync::Arc};

/// The least time that one of several addresses is given.
const ADDRESS_MS_MIN: u64 = 250;

/// What a core needs to connect.
pub struct Connector {
    roots: Arc<RootCertStore>,
    /// One configuration an endpoint, so that sessions are resumed.
    configs: RefCell<HashMap<EndpointKey, Arc<ClientConfig>>>,
}

impl Connector {
    pub fn new(roots: Arc<RootCertStore>) -> Self {
        Self { roots, configs: RefCell::new(HashMap::new()) }
    }

    /// Connect to one of the endpoint's addresses.
    pub async fn connect(
        &self,
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
        deadline: Moment,
        clock: &Clock,
        downlink: &mut Downlink<'_>,
    ) -> Result<Link, Failure> {
        if let Some(path) = &endpoint.socket {
            // On the heap, as below: connecting is rare, and every exchange would hold its room.
            let mut connecting = Box::pin(connect_socket(path));
            return match downlink.wait(deadline, connecting.as_mut()).await {
                Ok(connected) => connected.map_err(Failure::Fault),
                Err(Ring::Deadline) => Err(Failure::Fault(Fault::ConnectTimeout)),
                Err(why) => Err(interrupted(why)),
            };
        }
        let mut last = Fault::NameUnresolved;
        for (index, address) in addresses.iter().enumerate() {
            let now = clock.now();
            // One address that swallows packets must not eat the time of the others.
            let share = deadline.since(now) / (addresses.len() - index) as u64 / 1_000_000;
            let until = deadline.min(now.plus_millis(share.max(ADDRESS_MS_MIN)));
            let mut connecting = Box::pin(self.connect_address(endpoint, *address));
            match downlink.wait(until, connecting.as_mut()).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(fault)) => last = fault,
                Err(Ring::Deadline) => last = Fault::ConnectTimeout,
                Err(why) => return Err(interrupted(why)),
            }
        }
        Err(Failure::Fault(last))
    }

    async fn connect_address(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
    ) -> Result<Link, Fault> {
        let tcp = TcpStream::connect_addr(address).await.map_err(|_| Fault::ConnectFailed)?;
        let link = Link::plain(Socket::Tcp(tcp)).map_err(|_| Fault::ConnectFailed)?;
        let Some(trust) = &endpoint.tls else { return Ok(link) };
        let config = self.config(endpoint.key, trust)?;
        let session = Session::client(config, &endpoint.host).map_err(|_| Fault::TlsFailed)?;
        link.secure(session).await.map_err(|_| Fault::TlsFailed)
    }

    fn config(&self, key: EndpointKey, trust: &TlsTrust) -> Result<Arc<ClientConfig>, Fault> {
        if let Some(config) = self.configs.borrow().get(&key) {
            return Ok(Arc::clone(config));
        }
        let config = client_config(trust, &self.roots).map_err(|_| Fault::TlsFailed)?;
        let config = Arc::new(config);
        self.configs.borrow_mut().insert(key, Arc::clone(&config));
        Ok(config)
    }
}

async fn connect_socket(path: &str) -> Result<Link, Fault> {
    let unix = UnixStream::connect(path).await.map_err(|_| Fault::ConnectFailed)?;
    Link::plain(Socket::Unix(unix)).map_err(|_| Fault::ConnectFailed)
}
