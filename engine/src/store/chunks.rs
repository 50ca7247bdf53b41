//! A vector that grows without moving what it holds.
//!
//! Depends on nothing.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// Items side by side in chunks of one size, named by 32-bit numbers.
#[derive(Clone)]
pub struct Chunked<T, const CHUNK: usize> {
    chunks: Vec<Box<[T; CHUNK]>>,
    len: u32,
}

impl<T: Copy, const CHUNK: usize> Chunked<T, CHUNK> {
    /// Nothing, and nothing allocated.
    pub fn new() -> Chunked<T, CHUNK> {
        Chunked { chunks: Vec::new(), len: 0 }
    }

    /// How many items there are.
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Puts an item behind the others and returns its number.
    pub fn push(&mut self, item: T) -> u32 {
        let id = self.len;
        if id as usize / CHUNK == self.chunks.len() {
            let chunk = vec![item; CHUNK].into_boxed_slice();
            self.chunks.push(chunk.try_into().unwrap_or_else(|_| unreachable!("it is that long")));
        }
        self.len += 1;
        self[id] = item;
        id
    }
}

impl<T, const CHUNK: usize> Index<u32> for Chunked<T, CHUNK> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        &self.chunks[id as usize / CHUNK][id as usize % CHUNK]
    }
}

impl<T, const CHUNK: usize> IndexMut<u32> for Chunked<T, CHUNK> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.chunks[id as usize / CHUNK][id as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_everything_in_place() {
        let mut items = Chunked::<u32, 64>::new();
        let count = 3 * 64 + 5;
        for item in 0..count {
            assert_eq!(items.push(item), item);
        }
        assert!((0..items.len()).all(|id| items[id] == id));
        assert_eq!(items.chunks.len(), 4);
    }
}
