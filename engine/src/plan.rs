//! What a change of the map would move, before it is made.
//!
//! Depends on the map and the placement that follows from it, and changes nothing.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{NodeId, Slot};
use crate::map::{Map, Phase, Refusal, Wish};
use crate::sorted::sort_by_key;
use crate::view::View;

/// What would move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The members before and after, by ascending number.
    pub members: Vec<Share>,
    /// Copies of slots that would be filled anew, over all members.
    pub moved: u32,
    /// Copies of slots that there are in all when it is done.
    pub copies: u32,
}

/// What would become of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its number; that of one who would join is the one it would get.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Slots that it keeps now.
    pub before: u32,
    /// Slots that it would keep.
    pub after: u32,
    /// Those among them that it does not keep now.
    pub gains: u32,
}

impl Plan {
    /// What granting that wish would move; `None` when the map has what it wants already.
    pub fn of(map: &Map, wish: &Wish) -> Result<Option<Plan>, Refusal> {
        let Some(mut after) = map.with(wish, NodeId(0))? else { return Ok(None) };
        while after.phase != Phase::Steady {
            let Some(next) = after.advanced(NodeId(0)) else { break };
            after = next;
        }
        let [before, after] = [Arc::new(map.clone()), Arc::new(after)].map(placed);
        let mut members: Vec<Share> = Vec::new();
        for (map, is_new) in [(&before.map, false), (&after.map, true)] {
            for member in map.members.iter() {
                if is_new && members.iter().any(|share| share.id == member.id) {
                    continue;
                }
                let name = member.name.clone();
                members.push(Share { id: member.id, name, before: 0, after: 0, gains: 0 });
            }
        }
        sort_by_key(&mut members, |share| share.id);
        for slot in Slot::all() {
            let (old, new) = (before.replicas(slot), after.replicas(slot));
            for share in &mut members {
                let (had, has) = (old.contains(&share.id), new.contains(&share.id));
                share.before += u32::from(had);
                share.after += u32::from(has);
                share.gains += u32::from(has && !had);
            }
        }
        let moved = members.iter().map(|share| share.gains).sum();
        let copies = members.iter().map(|share| share.after).sum();
        Ok(Some(Plan { members, moved, copies }))
    }
}

impl Share {
    /// Slots that it would keep no longer.
    pub fn loses(&self) -> u32 {
        self.before + self.gains - self.after
    }
}

/// The placement of a map, as any of its members sees it.
fn placed(map: Arc<Map>) -> View {
    let me = map.members.first().expect("a map has members").id;
    View::first(me, map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SLOTS;
    use crate::map::Member;
    use alloc::format;

    fn map(members: u16) -> Map {
        let members = (1..=members).map(|id| Member::new(NodeId(id), format!("n{id}"))).collect();
        Map::first(members, 2, 128)
    }

    fn join(name: &str) -> Wish {
        let text = String::new;
        Wish::Join { name: name.into(), weight: 1, zone: text(), peer_address: text(), http_address: text() }
    }

    #[test]
    fn a_plan_says_what_the_change_moves() {
        let check = |members: u16, wish: Wish, expected: &[(&str, bool, bool)]| {
            let plan = Plan::of(&map(members), &wish).expect("it can be").expect("it changes something");
            let seen: Vec<(&str, bool, bool)> =
                plan.members.iter().map(|share| (&*share.name, share.gains > 0, share.loses() > 0)).collect();
            assert_eq!(seen, expected);
            assert_eq!(plan.copies, 2 * u32::from(SLOTS));
            let lost: u32 = plan.members.iter().map(Share::loses).sum();
            assert_eq!(lost, plan.moved, "nothing comes from nowhere");
            plan
        };
        let given = |name| (name, false, true);
        let plan = check(3, join("n4"), &[given("n1"), given("n2"), given("n3"), ("n4", true, false)]);
        let fair = plan.copies / 4;
        assert!(plan.moved.abs_diff(fair) * 5 < fair && plan.members[3].before == 0, "{plan:?}");
        let leave = Wish::Leave { name: "n2".into(), force: false };
        let plan = check(3, leave, &[("n1", true, false), ("n2", false, true), ("n3", true, false)]);
        assert_eq!(plan.members[1].after, 0);
        let weight = Wish::Weight { name: "n1".into(), weight: 2 };
        check(4, weight, &[("n1", true, false), given("n2"), given("n3"), given("n4")]);
        assert_eq!(Plan::of(&map(3), &Wish::Weight { name: "n1".into(), weight: 1 }), Ok(None));
        let unknown = Plan::of(&map(3), &Wish::Leave { name: "n9".into(), force: false });
        assert_eq!(unknown, Ok(None), "who is no member has left");
        assert!(Plan::of(&map(1), &Wish::Leave { name: "n1".into(), force: true }).is_err());
    }
}
