//! What each benchmark is measured with: criterion's clock, and an allocator that counts.
//!
//! Time moves with the machine's neighbours; allocations do not, so they are asserted.

use criterion::Criterion;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what each thread asks of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count_one() {
    // A thread that is ending has nowhere to count, and nothing to measure.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is the system allocator's own, with the caller's own arguments; what is added
// neither allocates nor unwinds.
#[expect(unsafe_code, reason = "an allocator can be written in no other way")]
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller's promises are handed on as they are.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller's promises are handed on as they are.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    // SAFETY: the caller's promises are handed on as they are.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often `work` allocates or grows, on this thread.
pub fn count(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// Measures `work`, and holds it to at most `allocations_max` once its buffers have grown.
///
/// # Panics
/// It allocated more often than that.
pub fn measure<T>(
    criterion: &mut Criterion,
    name: &str,
    allocations_max: u64,
    mut work: impl FnMut() -> T,
) {
    const WARM_UP: usize = 3;
    const TURNS: u64 = 100;
    for _ in 0..WARM_UP {
        black_box(work());
    }
    let allocations = count(|| {
        for _ in 0..TURNS {
            black_box(work());
        }
    });
    println!("{name}: {allocations} allocations in {TURNS} turns");
    assert!(
        allocations <= allocations_max * TURNS,
        "{name}: {allocations} allocations in {TURNS} turns, where {allocations_max} a turn is the bar"
    );
    criterion.bench_function(name, |bencher| bencher.iter(|| black_box(work())));
}

#[cfg(test)]
mod tests {
    use super::count;
    use std::hint::black_box;

    #[test]
    fn what_is_allocated_or_grows_is_counted_and_nothing_else() {
        let mut kept = Vec::with_capacity(4);
        assert_eq!(count(|| kept.extend_from_slice(&[1_u8; 4])), 0);
        assert_eq!(count(|| kept.push(5)), 1);
        assert_eq!(count(|| drop(black_box(Box::new(7)))), 1);
    }
}
