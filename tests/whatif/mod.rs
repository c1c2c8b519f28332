//! Other settings over recorded inputs: what-ifs, brackets, one decision explained, and that none of it drifts.

mod bracket;
mod decisions;
mod limits;
mod long;
mod models;
mod sides;

use std::path::Path;

use papermaker::engine::{Command, Input, SessionSpec, Stamped};
use papermaker::journal::{Manifest, Options, Store};
use papermaker::run::bracket::{Bracket, planned};
use papermaker::run::core::Core;
use papermaker::run::prepare;
use papermaker::units::Lots;

use crate::engine::story::{spec, story};

/// Five lots two ticks either side of the mid.
pub const FIXED: &str = "kind = \"fixed-spread\"\norder_amount_base = \"5\"\nhalf_spread_ticks = 2\n";

/// We join 5 lots at 1000 behind 10. Six join behind us, and six cancel: to the pessimist those behind, so 10 are ahead; to
/// the optimist six of those ahead, so 4 are. Eight are sold: the optimist has 4 of them under a mid of 1002, worth 8.
pub const SIX_CANCEL: &str = "100 book 10@1000 / 10@1004
    150 tick
    200 level bid 16@1000
    300 level bid 10@1000
    400 sell 8@1000
    500 tick
    1600 tick
    1700 stop
    1800 tick";

/// Of [`SIX_CANCEL`]: fixed quotes, the pessimist's queue.
pub fn quoting() -> SessionSpec {
    let mut spec = spec(100);
    spec.desks[0].strategy = Some(FIXED.to_owned());
    spec
}

/// Records these inputs as session `told` of `folder`, with or without a bracket.
pub fn record(folder: &Path, spec: &SessionSpec, inputs: &[Stamped], bracketed: bool) -> Manifest {
    let mut manifest = Manifest::new("told", spec.clone(), inputs[0].at);
    let bracket = if bracketed { Bracket::new(spec).expect("a strategy") } else { None };
    if bracket.is_some() {
        manifest.bracket = planned(spec);
    }
    let writer = Store::open(folder.join("store")).create("told", manifest, Options::IMPORT).expect("a new session");
    let strategies = prepare::strategies(spec).expect("a strategy");
    let mut core = Core::new(spec, strategies, writer, None, 1_000).with_bracket(bracket);
    for input in inputs {
        core.take(input.at, input.input.clone()).expect("recorded");
    }
    core.finish().expect("ended").1
}

/// The committed recording, copied: reading makes an index beside what it reads.
pub fn golden() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/golden/demo-btcusdt");
    let to = folder.path().join("store/demo-btcusdt");
    std::fs::create_dir_all(&to).expect("a folder");
    for file in ["00000001.seg", "manifest.toml"] {
        std::fs::copy(from.join(file), to.join(file)).expect("the golden session");
    }
    let store = Store::open(folder.path().join("store"));
    (folder, store)
}

/// The story, in which somebody lets us hold `most` lots from its second input on.
pub fn with_limit(most: i64) -> Vec<Stamped> {
    let mut inputs = story(SIX_CANCEL);
    let mut limits = quoting().risk;
    (limits.instruments[0].long_max, limits.instruments[0].short_max) = (Lots(most), Lots(most));
    let command = Command::SetLimits(Box::new(limits));
    inputs.insert(1, Stamped { input: Input::Command { by: "operator".to_owned(), command }, ..inputs[0].clone() });
    inputs.iter_mut().zip(1..).for_each(|(input, seq)| input.seq = seq);
    inputs
}
