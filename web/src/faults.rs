//! What is wrong with a cluster and is in no other array: links that hold messages up, nodes that stand still, clocks
//! that are off.

use vitrine_engine::sim::Machine;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Playground;

#[wasm_bindgen]
impl Playground {
    /// The ways on which messages are held up: from and to, from and to.
    pub fn clogs(&self) -> Vec<u16> {
        self.world().links().all_clogged().flat_map(|(from, to)| [from.0, to.0]).collect()
    }

    /// Of each node that has not left 3 numbers: node, whether it stands still, and milliseconds by which its clock is
    /// ahead of the truth.
    pub fn conditions(&self) -> Vec<f64> {
        let world = self.world();
        let truth = world.unix().0 as f64;
        let of = |machine: &Machine| {
            let ahead = machine.unix(world.now()).0 as f64 - truth;
            [f64::from(machine.id().0), f64::from(u8::from(machine.is_paused())), ahead]
        };
        world.machines().iter().filter(|machine| !machine.has_left()).flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn what_is_wrong_is_said() {
        let Ok(mut playground) = Playground::new(Settings::default()) else { panic!("good settings") };
        let before = playground.conditions();
        assert!(playground.clogs().is_empty());
        for line in ["clog n1>n3", "pause n2", "n3 clock -5s"] {
            assert!(playground.command(line).is_ok(), "{line}");
        }
        assert_eq!(playground.clogs(), [1, 3]);
        let after = playground.conditions();
        assert_eq!((after.len(), after[4]), (9, 1.0));
        assert_eq!(after[8], before[8] - 5_000.0);
        assert!(playground.command("resume n2").is_ok());
        assert_eq!(playground.conditions()[4], 0.0);
    }
}
