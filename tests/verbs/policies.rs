//! Policies of others: imported, asked, given a drift gate, quoting.

use std::path::Path;

use super::papermaker;

/// An actor as Stable-Baselines3 names it: three inputs, no hidden layer, two outputs.
fn actor() -> Vec<u8> {
    // Outputs by inputs: the bid leans against inventory, the ask with it; and 0.1 wider each.
    let weight: [f32; 6] = [0.5, 0.0, 0.0, -0.5, 0.0, 0.25];
    let numbers =
        [0.1f32, 0.1].into_iter().chain(weight).chain([-1.0, -2.0]).chain([0.0, 1.0, 0.0]).chain([0.25, 1.0, 4.0]);
    let data: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    let entry = |name: &str, shape: &str, from: usize, to: usize| {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[{from},{to}]}}")
    };
    let header = format!(
        "{{{},{},{},{},{}}}",
        entry("action_net.bias", "[2]", 0, 8),
        entry("action_net.weight", "[2,3]", 8, 32),
        entry("log_std", "[2]", 32, 40),
        entry("obs_rms.mean", "[3]", 40, 52),
        entry("obs_rms.var", "[3]", 52, 64),
    );
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

fn ask(folder: &Path, lines: &str) -> String {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_papermaker"));
    command.args(["policy", "ask", "mine.toml"]).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it was built");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it listens");
    String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text")
}

#[test]
fn an_actor_of_others_becomes_a_strategy_that_quotes_and_knows_where_it_belongs() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let card = include_str!("../../examples/stable_baselines3/card.toml");
    std::fs::write(here.join("card.toml"), card).expect("written");
    std::fs::write(here.join("actor.safetensors"), actor()).expect("written");
    let import = ["policy", "import", "actor.safetensors", "--card", "card.toml", "--out", "mine.toml"];
    papermaker(here, &import).exits(0);
    papermaker(here, &import).exits(2).complains_of(&["mine.safetensors is there already", "--force replaces it"]);
    // Spreads are the roots of 0.25, 1 and 4. Inventory 0.2 is 0.4 spreads, spread 3 is two, imbalance -1 is half a spread down:
    // 0.1 + 0.5·0.4 and 0.1 - 0.5·0.4 - 0.25·0.5. Inventory of 2 is four spreads and its answers are cut.
    let said = ask(here, "0.2,3,-1\n2,1,0\n");
    let numbers: Vec<Vec<f64>> =
        said.lines().map(|line| line.split(',').map(|x| x.parse().expect("a number")).collect()).collect();
    for (found, expected) in numbers.iter().zip([[0.3, -0.225], [1.0, -1.0]]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{said}");
    }
    let text = std::fs::read_to_string(here.join("mine.toml")).expect("written");
    assert!(
        text.contains("# An answer of one moves a quote by half of 1/k.") && text.contains("squash = \"cut\""),
        "{text}"
    );

    // Rules of its own, short enough for a test: two half-hours are 59 windows of a minute, overlapping by half, each.
    std::fs::write(here.join("mine.toml"), format!("{text}\n[drift]\nwindow_rows = 60\nblock_rows = 10\n"))
        .expect("written");
    let reference = ["policy", "reference", "mine.toml", "--out", "gated.toml", "--seeds", "2", "--json"];
    let short = [&reference[..], &["--for", "5m"]].concat();
    papermaker(here, &short).exits(2).complains_of(&["windows of 60 rows in the training; 20 are needed", "--for"]);
    let told = papermaker(here, &[&reference[..], &["--for", "30m"]].concat()).exits(0).json();
    assert_eq!((told["runs"].as_u64(), told["paper"].as_bool()), (Some(2), Some(true)));
    // Three seen, three believed, two answered; a row a second.
    let rows = told["numbers"].as_u64().expect("a number") / 8;
    assert!((3_300..=3_600).contains(&rows), "{rows}");
    let gated = std::fs::read_to_string(here.join("gated.toml")).expect("written");
    assert!(gated.contains("weights = \"gated.safetensors\"") && gated.contains("psi_max = 0.25"), "{gated}");
    papermaker(here, &["run", "--for", "2s", "--strategy", "gated.toml", "--session", "mine", "--no-dashboard"])
        .exits(0);
    let shown = papermaker(here, &["sessions", "show", "mine", "--json"]).exits(0).json();
    assert_eq!(shown["policy_digest"], told["weights_blake3"]);
    papermaker(here, &["replay", "mine"]).exits(0);
}
