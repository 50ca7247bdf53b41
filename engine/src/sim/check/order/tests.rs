//! Operations for which there is an order, and those for which there is none.

use super::*;
use Did::{Cleared, Created, Found as Read, Missed, NoNumber, Perhaps, Removed, Replaced, Something};
use Later::{Add, Put};

/// Calm, in which a miss says nothing.
const MOVING: Time = Time { round: 0, calm: true, steady: None };

fn of(value: u64) -> Content {
    Content::Bytes(value)
}

/// What the search says of operations, each with the moments of its question and its answer, one register for all.
fn check(ops: &[(u64, u64, Did)], expected: Found) {
    let mut register = Register::default();
    let mut events: Vec<(u64, bool, u64)> = Vec::new();
    for (id, (asked, answered, _)) in (0..).zip(ops) {
        events.push((*asked, false, id));
        events.push((*answered, true, id));
    }
    events.sort_unstable();
    let mut worst = Found::Plain;
    for (at, answers, id) in events {
        if !answers {
            register.asked(id, Instant(at));
            continue;
        }
        match register.answered(id, Instant(at), Some(ops[id as usize].2), MOVING) {
            Found::Plain => {}
            found => worst = found,
        }
    }
    assert_eq!(worst, expected, "{ops:?}");
}

#[test]
fn an_order_is_found_or_there_is_none() {
    check(&[(1, 2, Created(of(7))), (3, 4, Read(of(7))), (5, 6, Cleared), (7, 8, Cleared)], Found::Plain);
    check(&[(1, 2, Created(of(7))), (3, 4, Cleared), (5, 6, Read(of(7)))], Found::None);
    check(&[(1, 2, Read(of(7)))], Found::None);
    check(&[(1, 2, Created(of(7))), (3, 4, Replaced(None, of(8))), (5, 6, Read(of(7)))], Found::None);
    check(&[(1, 2, Created(of(7))), (3, 4, Removed), (5, 6, Something)], Found::None);
    check(&[(1, 2, Removed)], Found::None);
    // Compare and swap: of two at once one only.
    check(
        &[(1, 2, Created(of(7))), (3, 6, Replaced(Some(of(7)), of(8))), (4, 7, Replaced(Some(of(7)), of(9)))],
        Found::None,
    );
    check(
        &[(1, 2, Created(of(7))), (3, 6, Replaced(Some(of(7)), of(8))), (4, 7, Replaced(Some(of(8)), of(9)))],
        Found::Order,
    );
    // A read at the same time as a write sees it or not; one after another that saw it must see it.
    check(
        &[(1, 2, Created(of(7))), (3, 9, Replaced(None, of(8))), (4, 5, Read(of(7))), (6, 7, Read(of(8)))],
        Found::Order,
    );
    check(
        &[(1, 2, Created(of(7))), (3, 9, Replaced(None, of(8))), (4, 5, Read(of(8))), (6, 7, Read(of(7)))],
        Found::None,
    );
    // An outcome that is unknown may be seen, once, and at any time later.
    check(&[(1, 2, Perhaps(Put(of(7)))), (3, 4, Read(of(7)))], Found::Plain);
    check(
        &[
            (1, 2, Perhaps(Put(of(7)))),
            (3, 4, Cleared),
            (5, 6, Read(of(7))),
            (7, 8, Created(of(9))),
            (9, 10, Read(of(9))),
        ],
        Found::Plain,
    );
    check(&[(1, 2, Perhaps(Put(of(7)))), (3, 4, Read(of(7))), (5, 6, Cleared), (7, 8, Read(of(7)))], Found::None);
    check(
        &[(1, 2, Created(of(6))), (3, 5, Perhaps(Put(of(7)))), (4, 9, Read(of(6))), (6, 8, Read(of(7)))],
        Found::Order,
    );
    // A write of unknown outcome comes true no longer after so long.
    check(
        &[(1, 2, Perhaps(Put(of(7)))), (LATE + 3, LATE + 4, Cleared), (LATE + 5, LATE + 6, Read(of(7)))],
        Found::None,
    );
    // But it may have come true in that time with nobody looking, once.
    let [lost, much_later] = [(3, 4, Perhaps(Put(of(7)))), (LATE + 5, LATE + 6, Something)];
    let after = |number: u64| (LATE + 5 + 2 * number, LATE + 6 + 2 * number);
    let [(a, b), (c, d)] = [after(1), after(2)];
    check(&[(1, 2, Created(of(6))), lost, much_later, (a, b, Read(of(7)))], Found::Plain);
    check(&[(1, 2, Created(of(6))), lost, much_later, (a, b, Read(of(6)))], Found::Plain);
    check(&[(1, 2, Created(of(6))), lost, much_later, (a, b, Read(of(8)))], Found::None);
    check(&[(1, 2, Created(of(6))), lost, much_later, (a, b, Read(of(7))), (c, d, Read(of(6)))], Found::None);
    check(&[(1, 2, Created(of(6))), lost, much_later, (a, b, Cleared), (c, d, Read(of(7)))], Found::None);
    let many: Vec<_> = (1..60).map(|id| (id, 1_000 + id, Created(of(id)))).collect();
    check(&many, Found::TooMany);
}

#[test]
fn every_increment_counts_once() {
    let n = Content::Number;
    let adds = |by: i64, sum: i64| Replaced(Some(n(sum - by)), n(sum));
    let first = (1, 2, Created(n(1)));
    check(&[first, (3, 4, adds(2, 3)), (5, 6, Read(n(3)))], Found::Plain);
    check(&[first, (3, 4, adds(1, 2)), (5, 6, adds(1, 2))], Found::None);
    check(&[first, (3, 4, adds(1, 3))], Found::None);
    check(&[first, (3, 4, adds(1, 2)), (5, 6, Read(n(1)))], Found::None);
    check(&[first, (3, 9, adds(2, 4)), (4, 8, adds(1, 2)), (5, 10, Read(n(2)))], Found::Order);
    check(&[first, (3, 9, adds(2, 4)), (4, 8, adds(1, 3))], Found::None);
    // A cache forgets, and counts from nothing again; what is there is a number or is none.
    check(&[first, (3, 4, Created(n(5))), (5, 6, Read(n(5)))], Found::Plain);
    check(&[first, (3, 4, NoNumber)], Found::None);
    check(&[(1, 2, Created(of(7))), (3, 4, NoNumber), (5, 6, Read(of(7)))], Found::Plain);
    // One of unknown outcome is added once at most, at any time, and perhaps to nothing.
    let perhaps = (3, 4, Perhaps(Add(1)));
    check(&[first, perhaps, (5, 6, Read(n(1))), (7, 8, Read(n(2)))], Found::Plain);
    check(&[first, perhaps, (5, 6, Read(n(2))), (7, 8, adds(1, 3))], Found::Plain);
    check(&[first, perhaps, (5, 6, adds(5, 6)), (7, 8, Read(n(7)))], Found::Plain);
    check(&[first, (3, 4, Perhaps(Add(4))), (5, 6, Read(n(4)))], Found::Plain);
    check(&[first, perhaps, (5, 6, Read(n(2))), (7, 8, Read(n(3)))], Found::None);
    check(&[first, (3, 4, Perhaps(Add(4))), (5, 6, Read(n(3)))], Found::None);
    let most = (1, 2, Created(n(i64::MAX)));
    check(&[most, (3, 4, Perhaps(Add(1))), (5, 6, Read(n(i64::MAX)))], Found::Plain);
}

#[test]
fn a_miss_says_something_where_nobody_has_let_the_key_go() {
    let there = Created(of(7));
    // Each is asked at an even moment, and answered at the next; the key is let go, and moves, at those moments.
    let check = |dids: &[Did], let_go: Option<u64>, steady: Option<u64>, expected: Found| {
        let mut register = Register::default();
        let mut worst = Found::Plain;
        for (id, did) in (0..).zip(dids) {
            if let_go == Some(id * 2) {
                register.let_go(Instant(id * 2));
            }
            register.asked(id, Instant(id * 2));
            if let_go == Some(id * 2 + 1) {
                register.let_go(Instant(id * 2 + 1));
            }
            let time = Time { steady: steady.map(Instant), ..MOVING };
            let found = register.answered(id, Instant(id * 2 + 1), Some(*did), time);
            worst = if found == Found::Plain { worst } else { found };
        }
        assert_eq!(worst, expected, "{dids:?} {let_go:?} {steady:?}");
    };
    let steady = Some(0);
    for nothing in [Missed, Cleared, Created(of(8))] {
        check(&[there, nothing], None, steady, Found::None);
        check(&[there, Read(of(7)), nothing], None, steady, Found::None);
        // It was let go before it was there, or after that.
        check(&[there, nothing], Some(0), steady, Found::Plain);
        check(&[there, Read(of(7)), nothing], Some(0), steady, Found::None);
        check(&[there, nothing], Some(1), steady, Found::Plain);
        check(&[there, nothing], Some(3), steady, Found::Plain);
        // It moves, or did when it was found.
        check(&[there, nothing], None, None, Found::Plain);
        check(&[there, nothing], None, Some(1), Found::Plain);
    }
    check(&[there, Removed, Missed, Created(of(8))], None, steady, Found::Plain);
    check(&[there, Perhaps(Put(of(8))), Missed], None, steady, Found::None);
    check(&[Missed, there], None, steady, Found::Plain);
    // What was found before trouble may have been forgotten in it; and a miss that overlaps has many places.
    let mut register = Register::default();
    let steady = Some(Instant(0));
    let time = |round| Time { round, steady, ..MOVING };
    register.asked(1, Instant(1));
    register.answered(1, Instant(2), Some(there), Time { steady, ..MOVING });
    register.asked(2, Instant(3));
    assert_eq!(register.answered(2, Instant(4), Some(Missed), time(2)), Found::Plain);
    let mut register = Register::default();
    register.asked(1, Instant(1));
    register.asked(2, Instant(2));
    register.answered(1, Instant(3), Some(there), Time { steady, ..MOVING });
    assert_eq!(register.answered(2, Instant(4), Some(Missed), Time { steady, ..MOVING }), Found::Plain);
}

#[test]
fn what_may_be_there_in_the_end() {
    let mut register = Register::default();
    let mut answer = |id, did, round, calm| {
        register.asked(id, Instant(id * 2));
        register.answered(id, Instant(id * 2 + 1), Some(did), Time { round, calm, ..MOVING });
        [of(7), of(8)].map(|value| register.may_be(value, 0))
    };
    assert_eq!(answer(1, Created(of(7)), 0, true), [true, false]);
    assert_eq!(answer(2, Cleared, 0, true), [false, false]);
    assert_eq!(answer(3, Perhaps(Put(of(8))), 0, true), [true, true]);
    let mut register = Register::default();
    register.asked(1, Instant(1));
    assert!(register.may_be(of(7), 0), "something is under way");
    register.answered(1, Instant(2), Some(Created(of(7))), Time { round: 1, calm: false, ..MOVING });
    assert!(register.may_be(of(8), 1) && register.may_be(of(8), 2), "trouble says nothing");
}

#[test]
fn what_began_in_trouble_is_not_held_against_the_calm_after_it() {
    let mut register = Register::default();
    let mut answer = |id, asked, at, did, round, calm| {
        register.asked(id, Instant(asked));
        register.answered(id, Instant(at), Some(did), Time { round, calm, ..MOVING })
    };
    assert_eq!(answer(1, 1, 2, Read(of(7)), 1, false), Found::Plain);
    assert_eq!(answer(2, 3, 4, Read(of(8)), 2, true), Found::Plain);
    assert_eq!(answer(3, 5, 6, Read(of(9)), 2, true), Found::Plain, "nothing was known");
    assert_eq!(answer(4, 7, 8, Read(of(9)), 2, true), Found::Plain);
    assert_eq!(answer(5, 9, 10, Read(of(7)), 2, true), Found::None);
}
