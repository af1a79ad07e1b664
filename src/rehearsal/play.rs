//! The serving thread: accepts, reads requests, and plays the steps of their answers.

use super::{
    Shared,
    endpoint::{self, Counts},
    incoming::{Incoming, Progress, Request},
    line::{Gone, Line},
    script::Step,
    seen::Seen,
};
use monoio::{io::AsyncReadRent, net::TcpListener};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::Shutdown,
    os::unix::net::UnixStream,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// What all connections of the thread share.
struct House {
    shared: Arc<Shared>,
    counts: RefCell<Counts>,
    /// To end them when the vendor stops.
    open: RefCell<HashMap<u64, Rc<std::net::TcpStream>>>,
    is_stopping: Cell<bool>,
}

/// Serves until `stopped` ends.
pub(super) fn serve(listener: std::net::TcpListener, stopped: UnixStream, shared: Arc<Shared>) {
    let house = Rc::new(House {
        shared,
        counts: RefCell::default(),
        open: RefCell::default(),
        is_stopping: Cell::new(false),
    });
    let accepting = async move {
        let door = listener.try_clone().expect("there is a descriptor to spare");
        let listener = TcpListener::from_std(listener).expect("the listener is open");
        let stopped = monoio::net::UnixStream::from_std(stopped).expect("the stop line is open");
        let accepting = monoio::spawn(accept(listener, Rc::clone(&house)));
        wait_for_end(stopped).await;
        house.is_stopping.set(true);
        let _ = socket2::SockRef::from(&door).shutdown(Shutdown::Both);
        accepting.await;
        hang_up(&house).await;
    };
    let uring = monoio::RuntimeBuilder::<monoio::FusionDriver>::new().enable_timer().build();
    if let Ok(mut runtime) = uring {
        return runtime.block_on(accepting);
    }
    let legacy = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer().build();
    legacy.expect("a thread can have an epoll descriptor").block_on(accepting);
}

async fn wait_for_end(mut stopped: monoio::net::UnixStream) {
    let _ = stopped.read(vec![0; 1]).await;
}

/// Ends every connection, and gives each task a moment to let go of its own.
async fn hang_up(house: &House) {
    const MOMENTS_MAX: usize = 500;
    for socket in house.open.borrow().values() {
        let _ = socket.shutdown(Shutdown::Both);
    }
    for _ in 0..MOMENTS_MAX {
        if house.open.borrow().is_empty() {
            return;
        }
        monoio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn accept(listener: TcpListener, house: Rc<House>) {
    for connection in 0.. {
        let accepted = listener.accept().await;
        if house.is_stopping.get() {
            return;
        }
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: others must close first.
            monoio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Ok(line) = Line::new(stream) else { continue };
        house.open.borrow_mut().insert(connection, line.handle());
        let house = Rc::clone(&house);
        monoio::spawn(async move {
            let _ = converse(line, connection, &house).await;
            house.open.borrow_mut().remove(&connection);
        });
    }
}

/// All requests of one connection.
async fn converse(mut line: Line, connection: u64, house: &House) -> Result<(), Gone> {
    let mut incoming = Incoming::default();
    let mut answers = 0;
    loop {
        if let Some(canned) = &house.shared.canned
            && let Some(language) = incoming.skip_plain()
        {
            line.send(canned.answer(language).clone()).await?;
            answers += 1;
            continue;
        }
        let request = match incoming.step(Instant::now()) {
            Progress::Whole(request) => request,
            Progress::NeedsMore => {
                incoming.feed(&line.receive().await?);
                continue;
            }
            Progress::WantsContinue => {
                line.send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()).await?;
                continue;
            }
            Progress::Bad => {
                line.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec())
                    .await?;
                line.close();
                return Ok(());
            }
        };
        let ends = request.ends_connection();
        let number = remember(&line, connection, &request, house);
        let steps =
            endpoint::answer(&request, answers, &house.shared, &mut house.counts.borrow_mut());
        drop(request);
        let is_open = play(&mut line, steps, || {
            if let Some(number) = number {
                house.shared.log.answered(number);
            }
        })
        .await?;
        answers += 1;
        if ends {
            line.close();
        }
        if ends || !is_open {
            return Ok(());
        }
    }
}

fn remember(line: &Line, connection: u64, request: &Request, house: &House) -> Option<usize> {
    if house.shared.script.forgets {
        return None;
    }
    let number = house.shared.log.add(Seen {
        connection,
        method: request.method.clone(),
        path: request.path.clone(),
        headers: request.headers.clone(),
        head: request.head.clone(),
        body: request.body.clone(),
        arrived: request.arrived,
        answered: None,
        client_closed_at: None,
    });
    let shared = Arc::clone(&house.shared);
    line.on_end(move || shared.log.client_closed(number));
    Some(number)
}

/// Plays an answer; whether the connection is still open after it. `done` is called when all that
/// is to be sent was handed to the kernel.
async fn play(line: &mut Line, steps: Vec<Step>, done: impl FnOnce()) -> Result<bool, Gone> {
    let hangs = matches!(steps.last(), Some(Step::Hang));
    for step in steps {
        match step {
            Step::Send(bytes) => drop(line.send(bytes).await?),
            Step::Pause(millis) => line.pause(Duration::from_millis(millis)).await?,
            Step::Split(bytes, size) => {
                for part in bytes.chunks(size.max(1)) {
                    line.send(part.to_vec()).await?;
                }
            }
            Step::Repeat(bytes, times) => {
                let mut bytes = bytes;
                for _ in 0..times {
                    bytes = line.send(bytes).await?;
                }
            }
            Step::Hang => line.end().await,
            Step::Close => {
                done();
                line.close();
                return Ok(false);
            }
            Step::Reset => {
                done();
                line.reset();
                return Ok(false);
            }
        }
    }
    if !hangs {
        done();
    }
    Ok(true)
}
