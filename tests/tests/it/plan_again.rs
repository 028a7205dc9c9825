//! A plan that is written as JSON and read back does the same, or nothing.

use std::fs;

use standin_tests::cli::{ARCHIVE, Machine, Ran, STANDBY, World, branch, refs, set};

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// The plan of one mirror as a file.
fn written(world: &World, machine: &Machine, mirror: &str) -> String {
    let file = world.folder().join(format!("{mirror}.json"));
    fs::write(&file, machine.standin(&["plan", "--mirror", mirror, "--json"]).stdout).unwrap();
    file.to_str().unwrap().to_owned()
}

fn carried_out(machine: &Machine, file: &str) -> Ran {
    machine.standin(&["sync", "--plan", file])
}

#[test]
fn what_was_planned_is_done_and_a_second_time_it_is_not() {
    let world = world();
    let machine = world.machine();
    let file = written(&world, &machine, STANDBY);
    let planned: Vec<serde_json::Value> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let sections = planned[0]["plan"]["sections"].as_array().unwrap();
    let counted: usize = sections.iter().map(|section| section["changes"].as_array().unwrap().len()).sum();
    assert!(planned[0]["plan"]["summary"].as_str().unwrap().contains(&format!("{counted} changes")), "{planned:#?}");

    let done = carried_out(&machine, &file);
    assert_eq!(done.code(), 0, "{}", done.all());
    assert_eq!(refs(&world.standby())[&branch("main")], refs(&world.primary())[&branch("main")]);
    assert_eq!(machine.json(&["plan", "--mirror", STANDBY])[0]["plan"]["summary"], IN_STEP);
    assert!(refs(&world.archive()).is_empty(), "the other mirror was not planned");

    let again = carried_out(&machine, &file);
    assert_eq!(again.code(), 3, "{}", again.all());
    assert!(again.all().contains("would not do what was planned any more"), "{}", again.all());
}

const IN_STEP: &str = "Everything is in step. A sync would change nothing.";

#[test]
fn nothing_is_done_once_the_source_the_mirror_or_a_value_is_another() {
    let mut world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);

    let tip = world.commit(None, &[("README.md", "# One\n")]);
    world.publish(&branch("topic"), Some(tip));
    let of_source = written(&world, &machine, ARCHIVE);
    let later = world.commit(Some(tip), &[("README.md", "# Two\n")]);
    world.publish(&branch("topic"), Some(later));
    let before = refs(&world.archive());
    assert_eq!(carried_out(&machine, &of_source).code(), 3);
    assert_eq!(refs(&world.archive()), before);

    let of_mirror = written(&world, &machine, ARCHIVE);
    let foreign = before[&branch("main")];
    set(&world.archive(), &branch("theirs"), foreign);
    assert_eq!(carried_out(&machine, &of_mirror).code(), 0, "a ref of theirs is no part of what is done");
    assert_eq!(refs(&world.archive())[&branch("theirs")], foreign);

    world.change_secret("RESEND_API_KEY");
    let of_value = written(&world, &machine, STANDBY);
    world.change_secret("RESEND_API_KEY");
    let refused = carried_out(&machine, &of_value);
    assert_eq!(refused.code(), 3, "the name is the same, the value is not: {}", refused.all());
    let anew = written(&world, &machine, STANDBY);
    assert_eq!(carried_out(&machine, &anew).code(), 0);
}

#[test]
fn a_plan_of_another_installation_or_no_plan_at_all_is_refused_in_words() {
    let world = world();
    let (here, elsewhere) = (world.machine(), world.machine());
    let file = written(&world, &elsewhere, ARCHIVE);
    let refused = carried_out(&here, &file);
    assert!(refused.code() == 2 && refused.all().contains("not as it was made here"), "{}", refused.all());
    assert!(refs(&world.archive()).is_empty());

    for (text, said) in [("[]", "holds no plan"), ("{}", "is not what `standin plan --json` writes")] {
        fs::write(&file, text).unwrap();
        let refused = carried_out(&here, &file);
        assert_eq!(refused.code(), 2, "{}", refused.all());
        assert!(refused.all().contains(said), "{}", refused.all());
    }
    let by_itself = here.standin(&["sync", "--plan", &file, "--background"]);
    assert_eq!(by_itself.code(), 2, "a plan is not left out in silence: {}", by_itself.all());
    let refused = carried_out(&here, "/nowhere/plan.json");
    assert!(refused.code() == 2 && refused.all().contains("cannot read the plan"), "{}", refused.all());
}

#[test]
fn a_plan_that_was_edited_is_refused_whatever_was_changed_in_it() {
    let world = world();
    let machine = world.machine();
    let file = written(&world, &machine, ARCHIVE);
    let whole: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let refuses = |edited: &serde_json::Value, what: &str| {
        fs::write(&file, edited.to_string()).unwrap();
        let refused = carried_out(&machine, &file);
        assert_eq!(refused.code(), 2, "{what}: {}", refused.all());
        assert!(refs(&world.archive()).is_empty(), "{what}");
    };
    let plan = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut edited = whole.clone();
        edit(&mut edited[0]["plan"]);
        edited
    };
    refuses(&plan(&|plan| plan["sections"][0]["changes"] = serde_json::json!([])), "what would be shown");
    refuses(
        &plan(&|plan| plan["sections"][0]["details"]["refs"]["changes"] = serde_json::json!([])),
        "what would be done",
    );
    refuses(&plan(&|plan| plan["to"] = "elsewhere".into()), "where it goes");
    refuses(&plan(&|plan| plan["summary"] = "nothing".into()), "a word");
    refuses(&plan(&|plan| plan["seal"] = plan["seal"].as_str().unwrap()[..64].into()), "half a seal");
    let mut other = whole.clone();
    other[0]["mirror"] = STANDBY.into();
    refuses(&other, "whose it is");

    fs::write(&file, serde_json::to_string_pretty(&whole).unwrap()).unwrap();
    assert_eq!(carried_out(&machine, &file).code(), 0, "blanks are no change");
}
