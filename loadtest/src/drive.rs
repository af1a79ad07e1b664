//! The loop of one thread: send what is due, read what came, wait for whichever is next.

use crate::{
    connection::{Connection, End, Exchange},
    schedule::Schedule,
    tally::{self, Tally},
    verdict,
};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// As large as a socket's usual receive buffer: one read takes what is there.
const SCRATCH_BYTES: usize = 128 << 10;
/// How often answers that take too long are looked for.
const SWEEP: Duration = Duration::from_millis(100);

/// What a thread is to do.
#[derive(Clone, Debug)]
pub struct Orders {
    pub target: SocketAddr,
    pub schedule: Schedule,
    /// The bytes of each kind of request, and how many events its stream must have.
    pub wires: Vec<(Vec<u8>, Option<u64>)>,
    pub warmup: Duration,
    pub patience: Duration,
    pub timeout: Duration,
    pub connections_max: usize,
    /// This thread sends every so many-th request, from `first` on.
    pub stride: u64,
    pub first: u64,
}

/// Sends everything that is due and waits for its end.
///
/// # Errors
/// The kernel gives no epoll descriptor. All that happens to a connection is counted instead.
pub fn run(orders: &Orders, start: Instant) -> io::Result<Tally> {
    let stat = "/proc/thread-self/schedstat";
    let (ran, waited) = verdict::schedstat(stat);
    let mut drive = Drive {
        orders,
        start,
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        connections: Vec::new(),
        idle: Vec::new(),
        vacant: Vec::new(),
        waiting: VecDeque::new(),
        tally: Tally::default(),
        next: orders.first,
        busy: 0,
        scratch: vec![0; SCRATCH_BYTES],
    };
    drive.work()?;
    let wall = start.elapsed();
    let (ran_after, waited_after) = verdict::schedstat(stat);
    drive.tally.cpu_permille = verdict::permille(ran_after - ran, wall);
    drive.tally.wait_permille = verdict::permille(waited_after - waited, wall);
    Ok(drive.tally)
}

struct Drive<'o> {
    orders: &'o Orders,
    start: Instant,
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    /// Connections in no exchange; the one used last is used next.
    idle: Vec<usize>,
    /// Places of connections that are gone.
    vacant: Vec<usize>,
    /// Requests that are due and found no connection.
    waiting: VecDeque<u64>,
    tally: Tally,
    /// The request that is due next.
    next: u64,
    busy: usize,
    scratch: Vec<u8>,
}

impl Drive<'_> {
    fn work(&mut self) -> io::Result<()> {
        let count = self.orders.schedule.count();
        let mut events = Vec::with_capacity(256);
        let mut swept = self.start;
        loop {
            let now = Instant::now();
            while self.next < count && self.due(self.next) <= now {
                self.come_due(self.next, now);
                self.next += self.orders.stride;
            }
            self.dispatch(now);
            if now - swept >= SWEEP {
                swept = now;
                self.sweep(now);
            }
            if self.next >= count && self.waiting.is_empty() && self.busy == 0 {
                return Ok(());
            }
            self.wait(&mut events, now)?;
            for event in events.drain(..) {
                let place = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
                self.serve(place, event.flags);
            }
        }
    }

    fn due(&self, number: u64) -> Instant {
        self.start + self.orders.schedule.due(number)
    }

    fn counts(&self, number: u64) -> bool {
        self.orders.schedule.due(number) >= self.orders.warmup
    }

    fn come_due(&mut self, number: u64, now: Instant) {
        if self.counts(number) {
            self.tally.due += 1;
            let late = now - self.due(number);
            tally::note(&mut self.tally.lateness, late);
        }
        self.waiting.push_back(number);
    }

    /// Gives free connections to those that wait, the oldest first.
    fn dispatch(&mut self, now: Instant) {
        while let Some(&number) = self.waiting.front() {
            let (due, counts) = (self.due(number), self.counts(number));
            if now.saturating_duration_since(due) > self.orders.patience {
                self.waiting.pop_front();
                self.fail(counts, "unsent");
                continue;
            }
            let Some(place) = self.idle.pop().or_else(|| self.open()) else { return };
            self.waiting.pop_front();
            let kinds = self.orders.wires.len() as u64;
            let kind = usize::try_from(number / self.orders.stride % kinds).unwrap_or_default();
            let Some(connection) = &mut self.connections[place] else { continue };
            connection.exchange = Some(Exchange::new(kind, due, counts));
            self.busy += 1;
            if let Some(end) = connection.send(&self.orders.wires[kind].0) {
                self.finish(place, end);
            }
        }
    }

    fn open(&mut self) -> Option<usize> {
        if self.connections.len() - self.vacant.len() >= self.orders.connections_max {
            return None;
        }
        let Ok(connection) = Connection::open(self.orders.target) else {
            self.tally.error("no_socket");
            return None;
        };
        let place = self.vacant.pop().unwrap_or(self.connections.len());
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        let data = epoll::EventData::new_u64(place as u64);
        epoll::add(&self.epoll, &connection.socket, data, flags).ok()?;
        if place == self.connections.len() {
            self.connections.push(None);
        }
        self.connections[place] = Some(connection);
        Some(place)
    }

    /// Looks once without waiting; then waits for a socket or the next due time.
    fn wait(&self, events: &mut Vec<epoll::Event>, now: Instant) -> io::Result<()> {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let look = |events: &mut Vec<epoll::Event>| match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(events),
            Some(&zero),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(io::Error::from(error)),
        };
        look(events)?;
        if !events.is_empty() {
            return Ok(());
        }
        let until = if self.next < self.orders.schedule.count() {
            self.due(self.next).saturating_duration_since(now).min(SWEEP)
        } else {
            SWEEP
        };
        let until = Timespec::try_from(until).unwrap_or(zero);
        // Not `epoll_wait`, whose timeout is in whole milliseconds.
        match poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&until)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => look(events),
            Err(error) => Err(error.into()),
        }
    }

    fn serve(&mut self, place: usize, flags: epoll::EventFlags) {
        let Some(connection) = &mut self.connections[place] else { return };
        let ending = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        let kind = connection.exchange.map(|exchange| exchange.kind);
        let mut end = None;
        if let (Some(kind), true) = (kind, flags.contains(epoll::EventFlags::OUT)) {
            end = connection.send(&self.orders.wires[kind].0);
        }
        let reads = epoll::EventFlags::IN | ending;
        if end.is_none() && flags.intersects(reads) {
            let tally = &mut self.tally;
            let on_events = |exchange: &mut Exchange, count: u64| {
                let now = Instant::now();
                if exchange.counts {
                    tally.events += count;
                    match exchange.latest {
                        None => tally::note(&mut tally.first_event, now - exchange.due),
                        Some(latest) => tally::note(&mut tally.gap, now - latest),
                    }
                }
                exchange.latest = Some(now);
            };
            end = connection.receive(&mut self.scratch, flags.intersects(ending), on_events);
        }
        if let Some(end) = end {
            self.finish(place, end);
        }
    }

    /// Counts how an exchange ended, and keeps or drops its connection.
    fn finish(&mut self, place: usize, end: End) {
        let Some(connection) = &mut self.connections[place] else { return };
        let Some(exchange) = connection.exchange.take() else {
            // An idle connection was closed by the other side.
            self.idle.retain(|idle| *idle != place);
            self.close(place);
            return;
        };
        self.busy -= 1;
        let reply = &connection.reply;
        let keeps = end == End::Answered && reply.keeps_alive() && !reply.ends_here();
        let wanted = self.orders.wires[exchange.kind].1;
        let fault = match end {
            End::Failed(kind) => Some(kind.to_owned()),
            End::Answered => judge(reply, wanted),
        };
        let body_bytes = reply.body_bytes;
        connection.reply.reset();
        connection.is_used = true;
        if keeps {
            self.idle.push(place);
        } else {
            self.close(place);
        }
        match fault {
            Some(kind) => self.fail(exchange.counts, &kind),
            None => self.succeed(&exchange, body_bytes),
        }
    }

    fn succeed(&mut self, exchange: &Exchange, body_bytes: u64) {
        let now = Instant::now();
        let after_start = now - self.start;
        self.tally.good(after_start);
        if exchange.counts {
            self.tally.ok += 1;
            self.tally.body_bytes += body_bytes;
            let is_in_time = after_start.as_secs() < u64::from(self.orders.schedule.seconds);
            self.tally.ok_in_time += u64::from(is_in_time);
            tally::note(&mut self.tally.latency, now - exchange.due);
        }
    }

    fn fail(&mut self, counts: bool, kind: &str) {
        if counts {
            self.tally.error(kind);
        } else {
            self.tally.error(&format!("warmup_{kind}"));
        }
    }

    /// The descriptor leaves epoll's set as it is closed.
    fn close(&mut self, place: usize) {
        self.connections[place] = None;
        self.vacant.push(place);
    }

    /// Gives up on what takes too long.
    fn sweep(&mut self, now: Instant) {
        for place in 0..self.connections.len() {
            let exchange = self.connections[place].as_ref().and_then(|it| it.exchange);
            let is_late =
                |it: Exchange| now.saturating_duration_since(it.due) > self.orders.timeout;
            if exchange.is_some_and(is_late) {
                self.finish(place, End::Failed("timeout"));
            }
        }
    }
}

/// What is wrong with a whole answer, if anything is.
fn judge(reply: &crate::reply::Reply, wanted: Option<u64>) -> Option<String> {
    if !(200..300).contains(&reply.status()) {
        return Some(format!("status_{}", reply.status()));
    }
    let kind = match () {
        () if reply.has_error_event => "error_event",
        () if reply.is_stream() && !reply.is_done => "cut_short",
        () if wanted.is_some_and(|wanted| wanted != reply.events) => "events_lost",
        () => return None,
    };
    Some(kind.to_owned())
}
