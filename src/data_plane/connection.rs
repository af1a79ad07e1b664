//! What stands around an exchange: one client connection, one request after the other.

use crate::{
    data_plane::{
        alarm::Ring,
        catch::catch,
        core::{Core, Presence},
        exchange,
        inbound::{Intake, Missed},
        keys::Memo,
        link::Link,
        stage::respond,
        tls::Session,
    },
    lexicon::refusal::{Refusal, Refused},
};
use monoio::net::TcpStream;
use rustls::ServerConfig;
use std::{rc::Rc, sync::Arc};

/// How long a client that was told its last may send nothing before we close on it.
const LINGER_PAUSE_MS: u64 = 500;
/// How long it may go on sending what it had begun to send.
const LINGER_MS_MAX: u64 = 5_000;

/// May the connection carry another request?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    KeepAlive,
    Close,
}

/// Serve one connection to its end.
pub async fn serve(core: Rc<Core>, tcp: TcpStream, tls: Option<Arc<ServerConfig>>) {
    let presence = core.arrive();
    let served = catch(converse(&core, &presence, tcp, tls)).await;
    if served.is_err() {
        core.pulse.panics_total.add(1);
    }
    core.depart(&presence);
}

/// Tell a connection that is one too many so. It needs not send a request for that.
pub async fn refuse(core: Rc<Core>, tcp: TcpStream) {
    let presence = core.arrive();
    if let Ok(mut link) = Link::plain(tcp) {
        turn_away(&core, &presence, &mut link, Refusal::ConnectionsFull.into()).await;
    }
    core.depart(&presence);
    core.refused.set(core.refused.get() - 1);
}

async fn converse(
    core: &Rc<Core>,
    presence: &Presence,
    tcp: TcpStream,
    tls: Option<Arc<ServerConfig>>,
) {
    let Ok(mut link) = Link::plain(tcp) else { return };
    if let Some(config) = tls {
        let Some(secured) = shake_hands(core, presence, link, config).await else { return };
        link = secured;
    }
    let mut intake = Intake::new(&core.body_memory);
    let mut memo = Memo::default();
    loop {
        presence.is_idle.set(!intake.has_more());
        if presence.is_idle.get() && core.is_draining() {
            break;
        }
        let arrived =
            intake.read_head(&mut link, &presence.alarm, &core.clock, &core.settings).await;
        presence.is_idle.set(false);
        match arrived {
            Ok(()) => {}
            Err(Missed::Closed) => break,
            Err(Missed::Refused(refused)) => {
                turn_away(core, presence, &mut link, refused).await;
                break;
            }
        }
        let exchange = exchange::serve(core, presence, &mut intake, &mut link, &mut memo);
        match catch(exchange).await {
            Ok(Next::KeepAlive) => intake.next(),
            Ok(Next::Close) => {
                linger(core, presence, &mut link).await;
                break;
            }
            Err(_) => {
                core.pulse.panics_total.add(1);
                if !presence.has_replied.get() {
                    let known = core.ledger.panicked.take();
                    let fresh = core.new_request_id(core.clock.wall());
                    let request_id = if known.is_empty() { fresh.as_str() } else { &known };
                    say_no(core, presence, &mut link, Refusal::Internal.into(), request_id).await;
                }
                linger(core, presence, &mut link).await;
                break;
            }
        }
    }
}

async fn shake_hands(
    core: &Core,
    presence: &Presence,
    link: Link,
    config: Arc<ServerConfig>,
) -> Option<Link> {
    let deadline = core.clock.now().plus_millis(core.settings.timeouts.head_ms);
    let session = Session::server(config).ok()?;
    presence.alarm.guard(deadline, link.secure(session)).await.ok()?.ok()
}

/// Bytes that never became a request: they have a receipt too.
async fn turn_away(core: &Core, presence: &Presence, link: &mut Link, refused: Refused) {
    let request_id = core.new_request_id(core.clock.wall());
    exchange::record_refusal(core, request_id.as_str(), refused.refusal);
    say_no(core, presence, link, refused, request_id.as_str()).await;
    linger(core, presence, link).await;
}

async fn say_no(
    core: &Core,
    presence: &Presence,
    link: &mut Link,
    refused: Refused,
    request_id: &str,
) {
    let mut out = Vec::new();
    respond::push_refusal(&mut out, &refused, b"", request_id, Next::Close);
    let deadline = core.clock.now().plus_millis(core.settings.timeouts.write_idle_ms);
    // Whoever is gone needs not be told.
    let _ = presence.alarm.guard(deadline, link.write(out)).await;
}

/// Close so that the client can read what we said last: a close with bytes unread would reset the
/// connection and take our words with it.
async fn linger(core: &Core, presence: &Presence, link: &mut Link) {
    let pause = || core.clock.now().plus_millis(LINGER_PAUSE_MS);
    let end = core.clock.now().plus_millis(LINGER_MS_MAX);
    // Even a goodbye (of TLS) can wait for ever where nobody reads.
    if presence.alarm.guard(pause(), link.finish()).await.is_err() {
        return;
    }
    let mut buffer = core.buffers.take();
    loop {
        buffer.clear();
        let deadline = pause().min(end);
        match presence.alarm.guard(deadline, link.read(buffer)).await {
            Ok((Ok(read), back)) if read > 0 => buffer = back,
            Ok((_, back)) => return core.buffers.give(back),
            Err(Ring::Deadline | Ring::Departed | Ring::Closing) => return,
        }
    }
}
