//! Somebody else in the strategy's chair: an agent that is asked, looks, and answers.

use papermaker::market::InstrumentId;
use papermaker::run::simulate::Inside;
use papermaker::strategy::Decision;
use papermaker::units::Nanos;

use super::{TICK, bitcoin, inside, session};

#[test]
fn an_agent_that_decides_as_the_strategy_does_lives_the_same_session() {
    let sim = bitcoin();
    let spec = session(&sim, Some("avellaneda-stoikov"), &[]);
    let mut by_itself = inside(&sim, 6, &spec);
    by_itself.advance(Nanos::from_s(120));
    let mut chair = papermaker::run::prepare::strategies(&spec).expect("strategies").remove(0).expect("one");
    let mut agent = Inside::new(&sim, 6, &spec, vec![None], TICK).expect("it can live there");
    let mut asked = 0;
    while let Some(id) = agent.advance(Nanos::from_s(120)) {
        assert_eq!(id, InstrumentId(0));
        assert_eq!(agent.advance(Nanos::from_s(120)), Some(id), "nothing goes on before it has answered");
        let decision: Decision = chair.decide(&agent.view(id));
        agent.answer(decision);
        asked += 1;
    }
    assert!(asked > 500, "{asked}");
    assert_eq!(agent.session().digest().digest(), by_itself.session().digest().digest());
    assert_eq!(agent.world().digest(), by_itself.world().digest());
}
