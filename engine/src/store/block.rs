//! One allocation per entry: a short header, the key, the value and its media type. The only unsafe code of the engine.
//!
//! Depends on the allocator alone. A block is as long as what it holds; its lengths are checked once, when it is made,
//! and never change afterwards: every pointer below is derived from them.
//!
//! ```text
//! node u16 | key length u16 | value length u31, "has media" u1 | [media length u8] | key | value | media
//! ```

use alloc::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use core::ptr::NonNull;

use crate::id::NodeId;
use crate::limits::{MAX_KEY, MAX_MEDIA, MAX_VALUE};

/// A key with its value, media type and the node that wrote it, in one allocation behind a thin pointer.
pub struct Block(NonNull<Header>);

/// Lengths and what else is kept beside the bytes. Stored as it is, in native byte order: a block never leaves memory.
#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    node: u16,
    key: u16,
    value_and_flag: u32,
}

impl Block {
    /// Copies the parts into a new block. Panics past [`MAX_KEY`], [`MAX_VALUE`] or [`MAX_MEDIA`]: callers check.
    pub fn new(node: NodeId, key: &[u8], value: &[u8], media: &[u8]) -> Block {
        assert!(key.len() <= MAX_KEY && value.len() <= MAX_VALUE && media.len() <= MAX_MEDIA, "lengths are checked");
        let flag = if media.is_empty() { 0 } else { HAS_MEDIA };
        let header = Header { node: node.0, key: key.len() as u16, value_and_flag: value.len() as u32 | flag };
        let block = Block::allocate(layout(header.prefix() + key.len() + value.len() + media.len()));
        // SAFETY: the allocation is as long as the prefix and the three parts, in that order, and nobody else has it.
        unsafe {
            block.0.write(header);
            if flag != 0 {
                block.at(HEADER).write(media.len() as u8);
            }
            let mut at = block.at(header.prefix());
            for part in [key, value, media] {
                at.copy_from_nonoverlapping(NonNull::from(part).cast(), part.len());
                at = at.add(part.len());
            }
        }
        block
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let header = self.header();
        self.part(header.prefix(), usize::from(header.key))
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &[u8] {
        let header = self.header();
        self.part(header.prefix() + usize::from(header.key), header.value())
    }

    /// The media type; empty when there is none.
    #[inline]
    pub fn media(&self) -> &[u8] {
        let header = self.header();
        self.part(header.prefix() + usize::from(header.key) + header.value(), self.media_len(header))
    }

    /// The node that gave the entry its version.
    #[inline]
    pub fn node(&self) -> NodeId {
        NodeId(self.header().node)
    }

    /// Names another node.
    pub fn set_node(&mut self, node: NodeId) {
        let header = Header { node: node.0, ..self.header() };
        // SAFETY: the header is initialized and `self` is borrowed exclusively.
        unsafe { self.0.write(header) }
    }

    /// Puts another value and media type of the same lengths in their places. False, and nothing changed, when the
    /// lengths differ.
    pub fn rewrite(&mut self, node: NodeId, value: &[u8], media: &[u8]) -> bool {
        let header = self.header();
        if header.value() != value.len() || self.media_len(header) != media.len() {
            return false;
        }
        self.set_node(node);
        // SAFETY: the places are inside the allocation and as long as what is copied; `self` is borrowed exclusively,
        // so nothing that is copied from can overlap them.
        unsafe {
            let at = self.at(header.prefix() + usize::from(header.key));
            at.copy_from_nonoverlapping(NonNull::from(value).cast(), value.len());
            at.add(value.len()).copy_from_nonoverlapping(NonNull::from(media).cast(), media.len());
        }
        true
    }

    #[inline]
    fn header(&self) -> Header {
        // SAFETY: `new` wrote the header, the pointer is aligned by the layout, and it lives as long as `self`.
        unsafe { self.0.read() }
    }

    #[inline]
    fn media_len(&self, header: Header) -> usize {
        if header.value_and_flag & HAS_MEDIA == 0 {
            return 0;
        }
        // SAFETY: a block with that flag has this byte behind its header.
        usize::from(unsafe { self.at(HEADER).read() })
    }

    fn size(&self) -> usize {
        let header = self.header();
        header.prefix() + usize::from(header.key) + header.value() + self.media_len(header)
    }

    /// `len` bytes from `offset` on. Both come from the header, so they lie inside the allocation.
    #[inline]
    fn part(&self, offset: usize, len: usize) -> &[u8] {
        debug_assert!(offset + len <= self.size());
        // SAFETY: `new` initialized every byte of the allocation; the borrow of `self` keeps it alive and unchanged.
        unsafe { NonNull::slice_from_raw_parts(self.at(offset), len).as_ref() }
    }

    /// # Safety
    /// `offset` is at most the length of the allocation.
    #[inline]
    unsafe fn at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: as the caller promises; the pointer keeps the provenance of the whole allocation.
        unsafe { self.0.cast::<u8>().add(offset) }
    }

    /// Uninitialized: the caller writes every byte before anything else happens.
    fn allocate(layout: Layout) -> Block {
        // SAFETY: the layout is at least a header long, so never of size zero.
        match NonNull::new(unsafe { alloc(layout) }) {
            Some(pointer) => Block(pointer.cast()),
            None => handle_alloc_error(layout),
        }
    }
}

impl Clone for Block {
    fn clone(&self) -> Block {
        let size = self.size();
        let copy = Block::allocate(layout(size));
        // SAFETY: both allocations are `size` bytes, all of this one's are initialized, and they are apart.
        unsafe { copy.at(0).copy_from_nonoverlapping(self.at(0), size) }
        copy
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout (lengths never change), and nobody can use it after this.
        unsafe { dealloc(self.0.as_ptr().cast(), layout(self.size())) }
    }
}

// SAFETY: a block owns its bytes, shares them with nobody, and changes them only through `&mut`.
unsafe impl Send for Block {}
// SAFETY: as above; through `&` there are only reads.
unsafe impl Sync for Block {}

impl Header {
    #[inline]
    fn prefix(self) -> usize {
        HEADER + usize::from(self.value_and_flag & HAS_MEDIA != 0)
    }

    #[inline]
    fn value(self) -> usize {
        (self.value_and_flag & !HAS_MEDIA) as usize
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, align_of::<Header>()).expect("three bounded lengths add up to less than 2^31")
}

const HEADER: usize = size_of::<Header>();
const HAS_MEDIA: u32 = 1 << 31;
const _: () = assert!(HEADER == 8 && MAX_KEY <= u16::MAX as usize && MAX_MEDIA <= u8::MAX as usize);
const _: () = assert!(MAX_VALUE < 1 << 30, "the sum of all parts stays below 2^31, on 32-bit machines too");

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn check(key: &[u8], value: &[u8], media: &[u8]) {
        let mut block = Block::new(NodeId(7), key, value, media);
        let mut copy = block.clone();
        for block in [&block, &copy] {
            assert_eq!((block.node(), block.key(), block.value(), block.media()), (NodeId(7), key, value, media));
        }
        let (other, kind) = (vec![0xAA; value.len()], vec![0xBB; media.len()]);
        assert!(copy.rewrite(NodeId(9), &other, &kind));
        assert_eq!((copy.node(), copy.key(), copy.value(), copy.media()), (NodeId(9), key, &other[..], &kind[..]));
        assert_eq!(block.value(), value, "the original is apart");
        assert!(!block.rewrite(NodeId(1), &vec![1; value.len() + 1], media));
        assert!(!block.rewrite(NodeId(1), value, &vec![1; media.len() + 1]));
        block.set_node(NodeId(u16::MAX));
        drop(copy);
        assert_eq!((block.node(), block.key(), block.value(), block.media()), (NodeId(u16::MAX), key, value, media));
    }

    #[test]
    fn blocks_give_back_what_they_were_made_of() {
        check(b"", b"", b"");
        check(b"k", b"", b"");
        check(b"k", b"v", b"");
        check(b"key", b"", b"text/plain");
        check(b"key", b"value", b"t");
        check(&[1; MAX_KEY], &[2; 1000], &[3; MAX_MEDIA]);
    }

    #[test]
    fn blocks_go_to_other_threads() {
        fn sendable<T: Send + Sync>(_: &T) {}
        sendable(&Block::new(NodeId(1), b"k", b"v", b""));
    }

    #[test]
    #[should_panic(expected = "lengths are checked")]
    fn a_key_past_its_bound_is_refused() {
        Block::new(NodeId(1), &[0; MAX_KEY + 1], b"", b"");
    }
}
