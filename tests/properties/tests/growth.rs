//! Twice the input asks for no more than twice the work, counted in bytes that are allocated.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

/// The length of the shorter input, in bytes.
const LEN: usize = 4 * 1024;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is the system's allocator's; counting touches a value of the thread that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATED.try_with(|count| count.set(count.get() + layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes a body allocates for an input.
fn cost(body: properties::Body, bytes: &[u8]) -> usize {
    let before = ALLOCATED.get();
    body(bytes);
    ALLOCATED.get() - before
}

/// A file over and over again, as lines and on one line.
fn repeated(file: &[u8], between: &[u8], len: usize) -> Vec<u8> {
    let piece = [file, between].concat();
    piece.iter().copied().cycle().take(len).collect()
}

#[test]
fn twice_the_input_asks_for_twice_the_memory() {
    for (name, body) in properties::BODIES {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        for file in std::fs::read_dir(corpus).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            for between in [&b"\n"[..], b"", b","] {
                let [once, twice] = [1, 2].map(|times| cost(body, &repeated(&bytes, between, times * LEN)));
                assert!(
                    twice <= once * 5 / 2 + LEN,
                    "{}: {once} bytes are allocated for {LEN}, {twice} for twice as much",
                    path.display()
                );
            }
        }
    }
}
