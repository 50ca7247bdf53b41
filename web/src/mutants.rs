//! Deliberate mistakes, where the page is built with them: only this crate's feature `mutants` puts them in.

use vitrine_engine::mutant;
use vitrine_engine::sim::World;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::history::History;
use crate::{Playground, Wrong, wrong};

#[wasm_bindgen]
impl Playground {
    /// The mistakes that can be switched on here; none where the page was built without them.
    pub fn mutants(&self) -> Vec<String> {
        mutant::names().collect()
    }

    /// Switches a mistake on, by its name, or all off with an empty one; the run begins anew, with all that was done.
    ///
    /// # Errors
    /// When there is no such mistake.
    pub fn set_mutant(&mut self, name: &str) -> Result<(), Wrong> {
        mutant::set_named(name).map_err(wrong)?;
        if self.replaying > 0 {
            return self.replay();
        }
        let config = self.world().config().clone();
        let acts: Vec<_> = self.history.acts().iter().map(|done| (done.at, done.act.clone())).collect();
        self.begin(History::planned(World::new(config), acts));
        Ok(())
    }
}
