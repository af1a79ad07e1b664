//! New connections: every address is tried, TLS on top where the endpoint wants it.

use crate::{
    data_plane::{
        alarm::Ring,
        clock::Clock,
        downlink::Downlink,
        http2::vendor::{Turn, Uplinks},
        link::{Link, Socket},
        tls::{ALPN_HTTP2, Session, client_config},
        upstream::call::{Failure, interrupted},
    },
    lexicon::{fault::Fault, ids::EndpointKey, time::Moment},
    provider::target::{Endpoint, TlsTrust},
};
use monoio::net::{TcpStream, UnixStream};
use rustls::{ClientConfig, RootCertStore};
use std::{cell::RefCell, collections::HashMap, net::SocketAddr, pin::pin, rc::Rc, sync::Arc};

/// The least time that one of several addresses is given.
const ADDRESS_MS_MIN: u64 = 250;

/// Configurations for TLS that a core keeps: more endpoints than that are in use nowhere.
const CONFIGS_MAX: usize = 1_024;

/// What a core needs to connect.
pub struct Connector {
    roots: Arc<RootCertStore>,
    /// One configuration an endpoint, so that sessions are resumed.
    configs: RefCell<HashMap<EndpointKey, Arc<ClientConfig>>>,
    uplinks: Rc<Uplinks>,
}

impl Connector {
    pub fn new(roots: Arc<RootCertStore>, uplinks: Rc<Uplinks>) -> Self {
        Self { roots, configs: RefCell::new(HashMap::new()), uplinks }
    }

    /// Connect to one of the endpoint's addresses, or share what another call connected meanwhile.
    pub async fn connect(
        &self,
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
        deadline: Moment,
        clock: &Clock,
        downlink: &mut Downlink<'_>,
    ) -> Result<Link, Failure> {
        if !endpoint.wants_http2 {
            return self.connect_one(endpoint, addresses, deadline, clock, downlink).await;
        }
        let _turn = self.turn(endpoint, deadline, downlink).await?;
        if let Some(shared) = self.uplinks.take(endpoint.key) {
            return Ok(shared);
        }
        let link = self.connect_one(endpoint, addresses, deadline, clock, downlink).await?;
        let adopted = self.uplinks.adopt(link, endpoint).await;
        adopted.map_err(|_| Failure::Fault(Fault::ConnectFailed))
    }

    async fn connect_one(
        &self,
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
        deadline: Moment,
        clock: &Clock,
        downlink: &mut Downlink<'_>,
    ) -> Result<Link, Failure> {
        if let Some(path) = &endpoint.socket {
            return match downlink.wait(deadline, pin!(connect_socket(path))).await {
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
            let connecting = self.connect_address(endpoint, *address);
            match downlink.wait(until, pin!(connecting)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(fault)) => last = fault,
                Err(Ring::Deadline) => last = Fault::ConnectTimeout,
                Err(why) => return Err(interrupted(why)),
            }
        }
        Err(Failure::Fault(last))
    }

    /// Wait until nobody else connects there.
    async fn turn(
        &self,
        endpoint: &Endpoint,
        deadline: Moment,
        downlink: &mut Downlink<'_>,
    ) -> Result<Turn, Failure> {
        let turn = downlink.wait(deadline, pin!(self.uplinks.turn(endpoint.key))).await;
        turn.map_err(|why| match why {
            Ring::Deadline => Failure::Fault(Fault::ConnectTimeout),
            why => interrupted(why),
        })
    }

    async fn connect_address(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
    ) -> Result<Link, Fault> {
        let tcp = TcpStream::connect_addr(address).await.map_err(|_| Fault::ConnectFailed)?;
        let link = Link::plain(Socket::Tcp(tcp)).map_err(|_| Fault::ConnectFailed)?;
        let Some(trust) = &endpoint.tls else { return Ok(link) };
        let config = self.config(endpoint, trust)?;
        let session = Session::client(config, &endpoint.host).map_err(|_| Fault::TlsFailed)?;
        link.secure(session).await.map_err(|_| Fault::TlsFailed)
    }

    fn config(&self, endpoint: &Endpoint, trust: &TlsTrust) -> Result<Arc<ClientConfig>, Fault> {
        if let Some(config) = self.configs.borrow().get(&endpoint.key) {
            return Ok(Arc::clone(config));
        }
        let mut config = client_config(trust, &self.roots).map_err(|_| Fault::TlsFailed)?;
        if endpoint.wants_http2 {
            config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), b"http/1.1".to_vec()];
        }
        let config = Arc::new(config);
        let mut known = self.configs.borrow_mut();
        if known.len() >= CONFIGS_MAX {
            // Reloads may bring ever new endpoints; those in use are soon here again.
            known.clear();
        }
        known.insert(endpoint.key, Arc::clone(&config));
        Ok(config)
    }
}

async fn connect_socket(path: &str) -> Result<Link, Fault> {
    let unix = UnixStream::connect(path).await.map_err(|_| Fault::ConnectFailed)?;
    Link::plain(Socket::Unix(unix)).map_err(|_| Fault::ConnectFailed)
}
