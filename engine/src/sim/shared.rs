//! A part of a world that its clones share until one of them changes it.
//!
//! The way back in time is clones of the world (`web/src/history.rs`). What the checkers remember of each key is most
//! of a clone, and between two clones only the keys that were asked for change.

use alloc::sync::Arc;
use core::ops::{Deref, DerefMut};

/// A value that is copied when it is changed while another clone still has it, and not before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shared<T>(Arc<T>);

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_change_of_one_clone_is_not_seen_by_another() {
        let mut one = Shared(Arc::new(vec![1]));
        let two = one.clone();
        assert!(Arc::ptr_eq(&one.0, &two.0));
        one.push(2);
        assert_eq!((&*one, &*two), (&vec![1, 2], &vec![1]));
        let before = Arc::as_ptr(&one.0);
        one.push(3);
        assert_eq!(before, Arc::as_ptr(&one.0), "who is alone does not copy");
    }
}
