//! What a node asks for itself once it is a member: the zone and the weight that it was started with, where the map has
//! others.
//!
//! It asks until the map has had them once. Whoever changes them later, with `vitrine cluster`, is not spoken against
//! before the next start. A member that was drained stays so: that is for who drained it to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use vitrine_engine::map::{Map, Wish};

use crate::control::Wished;
use crate::settings::Settings;
use crate::shards::Shards;

/// The task that asks.
pub struct Standing {
    /// By whose view it is told what the map has.
    pub shards: Arc<Shards>,
    /// Whom it asks.
    pub wishes: mpsc::Sender<Wished>,
    /// True once this node has heard the others, and knows by that which map they have.
    pub ready: Arc<AtomicBool>,
    /// What is still to be asked for.
    pub wanted: Vec<Wish>,
}

/// Between two times that it asks, and before the first: by then it has the map of the others.
const AGAIN: Duration = Duration::from_secs(1);

/// What a node with those settings asks for.
pub fn wanted(settings: &Settings) -> Vec<Wish> {
    let name = settings.name();
    let zone = || Wish::Zone { name: name.to_owned(), zone: settings.zone.clone() };
    let weight = || Wish::Weight { name: name.to_owned(), weight: settings.weight };
    let zone = (!settings.zone.is_empty()).then(zone);
    let weight = settings.weight_given.then(weight);
    zone.into_iter().chain(weight).collect()
}

/// Of those the ones that the map has not granted, and that it may grant.
fn missing(wanted: Vec<Wish>, map: &Map) -> Vec<Wish> {
    let drained = |name: &str| map.named(name).is_none_or(|member| member.leaving || member.weight == 0);
    let open = |wish: &Wish| match wish {
        Wish::Weight { name, .. } => !map.grants(wish) && !drained(name),
        _ => !map.grants(wish),
    };
    wanted.into_iter().filter(open).collect()
}

impl Standing {
    /// Asks until all is granted, or `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut refused = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            if !self.ready.load(Ordering::Acquire) {
                continue;
            }
            self.wanted = missing(self.wanted, &self.shards.view().map);
            // One after the other: each of them moves slots.
            let Some(wish) = self.wanted.first().cloned() else { return };
            let (sender, receiver) = oneshot::channel();
            if self.wishes.send((wish.clone(), sender)).await.is_err() {
                return;
            }
            match receiver.await {
                Ok(Err(why)) if refused.as_ref() != Some(&why) => {
                    tracing::warn!(%why, ?wish, "the cluster does not give this node the zone or weight it asks for");
                    refused = Some(why);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vitrine_engine::id::NodeId;
    use vitrine_engine::view::Member;

    use super::*;
    use crate::settings::Layers;

    #[test]
    fn it_asks_for_what_it_was_told_and_does_not_end_a_drain() {
        let check = |flags: &[(&str, &str)], member: Member, expected: &[&str]| {
            let mut layers = Layers::defaults();
            flags.iter().for_each(|(name, text)| layers.add_flag(name, text));
            let settings = Settings::resolve(&layers).expect("good settings");
            let map = Map::first(vec![member], 2, 64);
            let asked = missing(wanted(&settings), &map).into_iter().map(|wish| match wish {
                Wish::Zone { zone, .. } => format!("zone {zone}"),
                Wish::Weight { weight, .. } => format!("weight {weight}"),
                other => panic!("{other:?}"),
            });
            assert_eq!(asked.collect::<Vec<_>>(), expected, "{flags:?}");
        };
        let own = |weight, zone: &str| Member { weight, zone: zone.into(), ..Member::new(NodeId(1), "n1") };
        let both = [("zone", "a"), ("weight", "3")];
        check(&[], own(2, "b"), &[]);
        check(&both, own(3, "a"), &[]);
        check(&both, own(2, "b"), &["zone a", "weight 3"]);
        check(&both, own(0, "b"), &["zone a"]);
        check(&[("weight", "1")], own(2, "b"), &["weight 1"]);
    }
}
