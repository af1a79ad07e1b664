//! What stands around an exchange: one client connection, one request after the other.

use crate::{
    data_plane::{
        alarm::Ring,
        catch::catch,
        core::{Core, Presence, Stage},
        exchange,
        handover::{Kept, Parcel},
        http2,
        inbound::{Intake, Missed},
        keys::Memo,
        link::{self, Link, Socket},
        peer::Peer,
        stage::respond,
        tls::Session,
    },
    dialect::pivot::part::Dialect,
    lexicon::refusal::{Refusal, Refused},
    wire::proxy_protocol::{self, Parsed},
};
use rustix::net::AddressFamily;
use std::rc::Rc;

/// How long a client that was told its last may send nothing before we close on it.
const LINGER_PAUSE_MS: u64 = 500;
/// How long it may go on sending what it had begun to send.
const LINGER_MS_MAX: u64 = 5_000;
/// Room for a PROXY header and the first request behind it.
const PROXY_HEADER_ROOM_BYTES: usize = 2 << 10;

/// May the connection carry another request?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    KeepAlive,
    Close,
    /// No, and what was sent is not all that was owed.
    Reset,
}

/// Serve one connection to its end, or until another core takes it.
pub async fn serve(core: Rc<Core>, presence: Presence, parcel: Parcel) {
    let mut next = Some((presence, parcel));
    while let Some((mut presence, parcel)) = next.take() {
        let served = catch(converse(&core, &mut presence, parcel)).await;
        core.depart(&presence);
        match served {
            Ok(None) => {}
            // Where the other core takes none, it stays.
            Ok(Some((other, parcel))) => {
                let kept = core.sharing.give(other, parcel).err();
                next = kept.map(|parcel| (core.arrive(&parcel), parcel));
            }
            Err(_) => core.pulse.panics_total.add(1),
        }
    }
}

/// Tell a connection that is one too many so. It needs not send a request for that, but where it
/// wants TLS it must shake hands, or it would not understand.
pub async fn refuse(core: Rc<Core>, mut presence: Presence, parcel: Parcel) {
    if let Some((mut link, _)) = open(&core, &mut presence, parcel).await {
        turn_away(&core, &presence, &mut link, Refusal::ConnectionsFull.into()).await;
    }
    core.depart(&presence);
    core.refused.set(core.refused.get() - 1);
}

/// The core and the connection for it, where it moves.
async fn converse(
    core: &Rc<Core>,
    presence: &mut Presence,
    parcel: Parcel,
) -> Option<(usize, Parcel)> {
    let (door, was_kept) = (parcel.door, parcel.kept.is_some());
    let (mut link, unread) = open(core, presence, parcel).await?;
    if link.negotiated_http2() {
        Box::pin(http2::client::serve(core, presence, link, unread)).await;
        return None;
    }
    let mut intake = Intake::new(&core.body_memory, unread);
    let mut memo = Memo::default();
    let mut has_served = was_kept;
    loop {
        presence.stage.set(Stage::of(intake.has_more(), has_served));
        if presence.stage.get() == Stage::Idle && core.is_draining() {
            return None;
        }
        if has_served
            && !core.is_draining()
            && let Some(other) = core.sharing.destination(&presence.mark)
        {
            let parcel = pack(core, presence, link, door, intake.take_unread())?;
            return Some((other, parcel));
        }
        let arrived =
            intake.read_head(&mut link, &presence.alarm, &core.clock, &core.settings).await;
        presence.stage.set(Stage::Busy);
        match arrived {
            Ok(()) => {}
            Err(Missed::Closed) => return None,
            // Seen only where HTTP/1 ends, so that it costs HTTP/1 nothing.
            Err(Missed::Refused(_))
                if !has_served && core.settings.http2 && intake.is_http2_preface() =>
            {
                let first = intake.into_bytes();
                Box::pin(http2::client::serve(core, presence, link, first)).await;
                return None;
            }
            Err(Missed::Refused(refused)) => {
                turn_away(core, presence, &mut link, refused).await;
                return None;
            }
        }
        presence.count_request();
        core.sharing.count(&presence.mark);
        let exchange = exchange::serve(core, presence, &mut intake, &mut link, &mut memo);
        match catch(exchange).await {
            Ok(Next::KeepAlive) => intake.next(),
            Ok(Next::Close) => {
                intake.end();
                linger(core, presence, &mut link).await;
                return None;
            }
            Ok(Next::Reset) => {
                link.reset();
                return None;
            }
            Err(_) => {
                tell_of_panic(core, presence, &mut link).await;
                linger(core, presence, &mut link).await;
                return None;
            }
        }
        has_served = true;
    }
}

/// The connection as another core can take it.
fn pack(
    core: &Core,
    presence: &mut Presence,
    link: Link,
    door: usize,
    unread: Vec<u8>,
) -> Option<Parcel> {
    let (socket, tls) = link.into_socket()?;
    let family = socket.family();
    let descriptor = link::duplicate(&socket).ok()?;
    let closes_in_ms = presence.closes_at.since(core.clock.now()) / 1_000_000;
    let kept = Kept { tls, unread, requests_left: presence.requests_left.get(), closes_in_ms };
    let peer = std::mem::take(&mut presence.peer);
    Some(Parcel { descriptor, family, door, peer, kept: Some(kept) })
}

/// The connection as it can be served, and what was read of it already.
async fn open(core: &Core, presence: &mut Presence, parcel: Parcel) -> Option<(Link, Vec<u8>)> {
    let Parcel { descriptor, family, peer, kept, .. } = parcel;
    presence.peer = peer;
    let socket = Socket::adopt(descriptor, family).ok()?;
    if let Some(Kept { tls, unread, .. }) = kept {
        return Some((Link::resume(socket, tls), unread));
    }
    let mut link = Link::plain(socket).ok()?;
    let mut unread = Vec::new();
    if core.settings.proxies.protocol.is_some() {
        let Some(rest) = read_proxy_header(core, presence, &mut link).await else {
            core.pulse.proxy_headers_refused_total.add(1);
            return None;
        };
        unread = rest;
    }
    // Whoever reaches a Unix socket is on this machine: it is always plain.
    let config = core.tls().filter(|_| family != AddressFamily::UNIX);
    let Some(config) = config else { return Some((link, unread)) };
    let deadline = core.clock.now().plus_millis(core.settings.timeouts.head_ms);
    let session = Session::server(config).ok()?;
    let shaking = presence.alarm.guard(deadline, link.secure_with(session, &unread));
    let Ok(Ok(link)) = shaking.await else {
        core.pulse.tls_handshakes_failed_total.add(1);
        return None;
    };
    if let Some(session) = link.session() {
        presence.peer.certificate = session.peer_subject().into();
    }
    Some((link, Vec::new()))
}

/// Whose connection a proxy says it is; what was read behind that. None where it cannot be
/// believed, or is no header: such a connection is closed without a word.
async fn read_proxy_header(
    core: &Core,
    presence: &mut Presence,
    link: &mut Link,
) -> Option<Vec<u8>> {
    let proxies = &core.settings.proxies;
    let accepted = proxies.protocol.filter(|_| presence.peer.is_trusted)?;
    let deadline = core.clock.now().plus_millis(core.settings.timeouts.head_ms);
    let mut buffer = Vec::with_capacity(PROXY_HEADER_ROOM_BYTES);
    loop {
        buffer.reserve(PROXY_HEADER_ROOM_BYTES);
        match presence.alarm.guard(deadline, link.read(buffer)).await {
            Ok((Ok(read), back)) if read > 0 => buffer = back,
            _ => return None,
        }
        match proxy_protocol::parse(&buffer, accepted).ok()? {
            Parsed::More => {}
            Parsed::Whole { length, source } => {
                if let Some(source) = source {
                    presence.peer = Peer::of_address(source, proxies);
                }
                return Some(buffer.split_off(length));
            }
        }
    }
}

/// Bytes that never became a request: they have a receipt too.
async fn turn_away(core: &Core, presence: &Presence, link: &mut Link, refused: Refused) {
    refuse_bytes(core, presence, link, refused).await;
    linger(core, presence, link).await;
}

/// Bytes that never became a request: they have a receipt too.
pub async fn refuse_bytes(core: &Core, presence: &Presence, link: &mut Link, refused: Refused) {
    let request_id = core.new_request_id(core.clock.wall());
    exchange::record_refusal(core, presence, request_id.as_str(), refused.refusal);
    say_no(core, presence, link, refused, request_id.as_str()).await;
}

/// An exchange panicked: whoever waits for its reply is told so.
pub async fn tell_of_panic(core: &Core, presence: &Presence, link: &mut Link) {
    core.pulse.panics_total.add(1);
    if !presence.has_replied.get() {
        let known = core.ledger.panicked.take();
        let fresh = core.new_request_id(core.clock.wall());
        let request_id = if known.is_empty() { fresh.as_str() } else { &known };
        say_no(core, presence, link, Refusal::Internal.into(), request_id).await;
    }
}

async fn say_no(
    core: &Core,
    presence: &Presence,
    link: &mut Link,
    refused: Refused,
    request_id: &str,
) {
    let mut out = Vec::new();
    let told = respond::Told { request_id, dialect: Dialect::OpenAiChat, lines: b"" };
    respond::push_refusal(&mut out, &refused, &told, Next::Close);
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
