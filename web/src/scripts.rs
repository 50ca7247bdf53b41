//! Scripts that the page plays, line by line.

use vitrine_engine::sim::{Script, World};
use vitrine_engine::time::Instant;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::history::History;
use crate::journal::Journal;
use crate::player::{Player, Turn};
use crate::{Playground, Wrong, script, wrong};

#[wasm_bindgen]
impl Playground {
    /// Builds the cluster of a script, and is ready to play it: nothing is done before [`Playground::go`].
    ///
    /// # Errors
    /// When the script's first line is wrong; the old cluster is then as it was.
    pub fn load(&mut self, text: &str) -> Result<(), Wrong> {
        let mut script = Script::parse(text).map_err(wrong)?;
        script.config.trace = crate::settings::TRACE;
        self.player = Some(Player::new(&script));
        (self.replaying, self.source) = (0, script::Source::default());
        self.settings = crate::Settings::of(&script.config);
        (self.history, self.journal) = (History::new(World::new(script.config)), Journal::default());
        self.journal.follow(self.history.world());
        Ok(())
    }

    /// The script may go on to the end of that line of its text.
    pub fn go(&mut self, line: u32) {
        if let Some(player) = &mut self.player {
            player.go(line);
        }
    }

    /// The script has been left behind: what comes now is up to the person.
    pub fn leave_script(&mut self) {
        self.player = None;
    }

    /// Of the script that is played: the line that it is at, whether it is held there, whether it is over, and how many
    /// simulated microseconds should pass in a millisecond. Empty when there is none.
    pub fn played(&self) -> Vec<f64> {
        let Some(player) = &self.player else { return Vec::new() };
        let flag = |is: bool| f64::from(u8::from(is));
        vec![f64::from(player.line()), flag(player.is_held(&self.history)), flag(player.is_over()), player.pace()]
    }

    /// What the script expected so far, two texts each: the line, and how it is where it is not so.
    pub fn expected(&self) -> Vec<String> {
        let expected = self.player.as_ref().map_or(&[][..], Player::expected);
        expected.iter().flat_map(|(line, why)| [line.to_string(), why.clone().unwrap_or_default()]).collect()
    }
}

impl Playground {
    /// Carries out events as the script says; `None` when there is none.
    pub(crate) fn run_script(&mut self, until: Instant, most: u64) -> Option<u64> {
        let player = self.player.as_mut()?;
        let (mut carried, line) = (0, player.line());
        while carried < most {
            match player.turn(&mut self.history, until, most - carried) {
                Turn::Held => break,
                Turn::Run(until, most) => {
                    let before = self.history.world().now();
                    let now = self.history.run(until, most);
                    carried += now;
                    if now == 0 && self.history.world().now() == before {
                        break;
                    }
                }
            }
            // Each line is shown at its own pace.
            if player.line() != line || self.history.world().now() >= until {
                break;
            }
        }
        Some(carried)
    }

    /// Goes on to the next event that a person can see, as the script says.
    pub(crate) fn step_script(&mut self) -> Option<bool> {
        /// Heartbeats alone fill the rest.
        const MOST_QUIET: u32 = 10_000;
        let player = self.player.as_mut()?;
        let before = self.history.world().trace().latest();
        for _ in 0..MOST_QUIET {
            let world = self.history.world();
            let next = world.next_event().unwrap_or(world.now());
            match player.turn(&mut self.history, next, 1) {
                Turn::Held => break,
                Turn::Run(until, most) => self.history.run(until, most),
            };
            if self.history.world().trace().latest() != before {
                return Some(true);
            }
        }
        Some(self.history.world().trace().latest() != before)
    }
}
