//! What a person sees while something takes time: one line, on a terminal, gone when it is done.

use std::{cell::RefCell, io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tintype::Stage;

use super::Style;

/// A line that says what is being done. Nothing where nobody watches.
pub(crate) struct Progress {
    bar: RefCell<Option<ProgressBar>>,
    is_watched: bool,
}

impl Progress {
    pub(crate) fn new(style: Style) -> Progress {
        let is_watched = !style.quiet
            && !style.json
            && std::io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none();
        Progress { bar: RefCell::new(None), is_watched }
    }

    /// Says that a stage begins.
    pub(crate) fn stage(&self, stage: Stage) {
        if !self.is_watched {
            return;
        }
        let mut bar = self.bar.borrow_mut();
        let bar = bar.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(stage.name());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }
}
