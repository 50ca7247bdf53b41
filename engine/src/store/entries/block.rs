//! One entry in memory: one allocation.
//!
//! ```text
//! stamp u64 | older | newer | hash u32 | timer u29, mark u3 | value length u31, "has media" u1 | node u16
//!   | key length u16 | [media length u8] | key | value | media
//! ```
//!
//! What finding, ordering and judging an entry needs lies in front of its key, so that a look-up in a store larger than
//! the caches waits for memory twice: for its line of the index, and for the entry.
//!
//! Depends on the allocator alone. Only the list above this module reaches what is not public here.

use alloc::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use core::ptr::NonNull;

use crate::id::{NodeId, Version};
use crate::limits::{MAX_KEY, MAX_MEDIA, MAX_VALUE};
use crate::store::prefetch::prefetch;

/// Where an entry is, until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(NonNull<Header>);

/// What a new entry holds. The parts are copied once, here.
pub struct New<'a> {
    pub version: Version,
    pub hash: u32,
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub media: &'a [u8],
}

impl New<'_> {
    /// Bytes of the allocation. Panics past the bounds of `limits`.
    #[inline]
    pub(super) fn size(&self) -> usize {
        let New { key, value, media, .. } = *self;
        assert!(key.len() <= MAX_KEY && value.len() <= MAX_VALUE && media.len() <= MAX_MEDIA, "lengths are checked");
        HEADER + usize::from(!media.is_empty()) + key.len() + value.len() + media.len()
    }
}

/// What stands before the bytes. Stored as it is, in native byte order: an entry never leaves memory.
#[repr(C)]
pub(super) struct Header {
    pub(super) stamp: u64,
    /// The entry used next before this one.
    pub(super) older: Option<At>,
    /// The entry used next after this one.
    pub(super) newer: Option<At>,
    pub(super) hash: u32,
    /// The timer, and below it the mark of the policy.
    pub(super) timer_and_mark: u32,
    value_and_flag: u32,
    pub(super) node: u16,
    key: u16,
}

/// The lifetimes of what these give are as long as the caller likes. Outside of the list they are those of a borrow of
/// it, or of a `Removed`.
impl At {
    /// A number that no other entry of the list has meanwhile.
    #[cfg(test)]
    pub fn address(self) -> usize {
        self.0.addr().get()
    }

    /// An entry with that mark, and with that one before it in its list; that one does not know of it yet.
    pub(super) fn allocate(new: &New<'_>, older: Option<At>, mark: u32) -> At {
        let layout = layout(new.size());
        // SAFETY: the layout is at least a header long, so never of size zero.
        let Some(pointer) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let at = At(pointer.cast());
        // SAFETY: the allocation is that long, and nobody else has it.
        unsafe { at.write(new, older, mark) };
        at
    }

    /// Makes the entry that is here another one, or the memory the first.
    ///
    /// # Safety
    ///
    /// The allocation has the new entry's size, and nobody else may use this name, or what it gave, any more.
    pub(super) unsafe fn write(self, new: &New<'_>, older: Option<At>, mark: u32) {
        let New { version, hash, key, value, media } = *new;
        let flag = if media.is_empty() { 0 } else { HAS_MEDIA };
        let header = Header {
            stamp: version.stamp,
            older,
            newer: None,
            hash,
            timer_and_mark: NO_TIMER << MARK_BITS | mark,
            value_and_flag: value.len() as u32 | flag,
            node: version.node.0,
            key: key.len() as u16,
        };
        // SAFETY: there is room for the header, the media type's length if it has one, and the three parts.
        unsafe {
            self.0.write(header);
            let mut at = self.0.cast::<u8>().add(HEADER);
            if flag != 0 {
                at.write(media.len() as u8);
                at = at.add(1);
            }
            at.copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
            let at = at.add(key.len());
            at.copy_from_nonoverlapping(NonNull::from(value).cast(), value.len());
            if flag != 0 {
                at.add(value.len()).copy_from_nonoverlapping(NonNull::from(media).cast(), media.len());
            }
        }
    }

    /// Begins to load the header.
    #[inline]
    pub(super) fn prefetch(self) {
        prefetch(self.0.as_ptr());
    }

    /// Begins to load the two cache lines behind the one where the header starts. Where an entry ends before them,
    /// something else comes along: a hint reads nothing.
    #[inline]
    pub(super) fn prefetch_rest(self) {
        let start = self.0.as_ptr().cast::<u8>();
        prefetch(start.wrapping_add(64));
        prefetch(start.wrapping_add(112));
    }

    /// Puts another value and media type of the same lengths in their places. False, and nothing changed, when the
    /// lengths differ.
    pub(super) fn rewrite(self, value: &[u8], media: &[u8]) -> bool {
        let (prefix, key, value_len, media_len) = self.lengths();
        if value_len != value.len() || media_len != media.len() {
            return false;
        }
        // SAFETY: the places are inside the allocation and as long as what is copied. The list is borrowed exclusively,
        // so nothing that is copied from can overlap them.
        unsafe {
            let at = self.0.cast::<u8>().add(prefix + key);
            at.copy_from_nonoverlapping(NonNull::from(value).cast(), value.len());
            at.add(value.len()).copy_from_nonoverlapping(NonNull::from(media).cast(), media.len());
        }
        true
    }

    /// Gives the memory back.
    ///
    /// # Safety
    ///
    /// Nobody may use this name, or what it gave, any more.
    pub(super) unsafe fn free(self) {
        let layout = layout(self.size());
        // SAFETY: allocated with this layout: lengths never change.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) }
    }

    #[inline]
    pub(super) fn header<'a>(self) -> &'a Header {
        // SAFETY: `allocate` wrote it, and the entry is there as long as its name (see the module). No reference that
        // `header_mut` gives lives longer than one statement.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(super) fn header_mut<'a>(mut self) -> &'a mut Header {
        // SAFETY: as above, and each caller has the list exclusively, and ends its use before the next begins.
        unsafe { self.0.as_mut() }
    }

    #[inline]
    pub(super) fn timer(self) -> u32 {
        self.header().timer_and_mark >> MARK_BITS
    }

    #[inline]
    pub(super) fn mark(self) -> u32 {
        self.header().timer_and_mark & MARK
    }

    #[inline]
    pub(super) fn version(self) -> Version {
        let header = self.header();
        Version { stamp: header.stamp, node: NodeId(header.node) }
    }

    #[inline]
    pub(super) fn key<'a>(self) -> &'a [u8] {
        let header = self.header();
        let prefix = HEADER + usize::from(header.value_and_flag & HAS_MEDIA != 0);
        self.part(prefix, usize::from(header.key))
    }

    #[inline]
    pub(super) fn value<'a>(self) -> &'a [u8] {
        let header = self.header();
        let prefix = HEADER + usize::from(header.value_and_flag & HAS_MEDIA != 0);
        self.part(prefix + usize::from(header.key), (header.value_and_flag & !HAS_MEDIA) as usize)
    }

    #[inline]
    pub(super) fn media<'a>(self) -> &'a [u8] {
        if self.header().value_and_flag & HAS_MEDIA == 0 {
            return &[];
        }
        let (prefix, key, value, media) = self.lengths();
        self.part(prefix + key + value, media)
    }

    /// Bytes before the key, of the key, of the value, and of the media type.
    fn lengths(self) -> (usize, usize, usize, usize) {
        let header = self.header();
        let value = (header.value_and_flag & !HAS_MEDIA) as usize;
        if header.value_and_flag & HAS_MEDIA == 0 {
            return (HEADER, usize::from(header.key), value, 0);
        }
        // SAFETY: an entry with that flag has this byte behind its header.
        let media = unsafe { self.0.cast::<u8>().add(HEADER).read() };
        (HEADER + 1, usize::from(header.key), value, usize::from(media))
    }

    pub(super) fn size(self) -> usize {
        let (prefix, key, value, media) = self.lengths();
        prefix + key + value + media
    }

    /// `len` bytes from `offset` on. Both come from the header, so they lie inside the allocation.
    #[inline]
    fn part<'a>(self, offset: usize, len: usize) -> &'a [u8] {
        debug_assert!(offset + len <= self.size());
        // SAFETY: `allocate` initialized every byte, and the pointer has the provenance of the whole allocation. What
        // changes the bytes has the list exclusively.
        unsafe { NonNull::slice_from_raw_parts(self.0.cast::<u8>().add(offset), len).as_ref() }
    }
}

// SAFETY: a name; what it names is reached through the list, and so under the list's borrow.
unsafe impl Send for At {}
// SAFETY: as above.
unsafe impl Sync for At {}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, align_of::<Header>()).expect("three bounded lengths add up to less than 2^31")
}

/// The timer of an entry without a deadline.
pub const NO_TIMER: u32 = u32::MAX >> MARK_BITS;
/// The bits in which a policy keeps what it knows of an entry.
pub(super) const MARK_BITS: u32 = 3;
pub(super) const MARK: u32 = (1 << MARK_BITS) - 1;
const HEADER: usize = size_of::<Header>();
const HAS_MEDIA: u32 = 1 << 31;
const _: () = assert!(HEADER == 24 + 2 * size_of::<usize>() && size_of::<Option<At>>() == size_of::<usize>());
const _: () = assert!(MAX_KEY <= u16::MAX as usize && MAX_MEDIA <= u8::MAX as usize);
const _: () = assert!(MAX_VALUE < 1 << 30, "the sum of all parts stays below 2^31, on 32-bit machines too");
