//! What the sandbox cannot carry out fails loudly: the run fails, and says which line and what.

use serde_json::json;
use standin_sandbox::{Conclusion, check_workflow};

use crate::support::{Stage, by_hand, script};

fn job(rest: &str) -> String {
    by_hand(&format!("jobs:\n  one:\n    runs-on: ubuntu-latest\n{rest}"))
}

fn step(rest: &str) -> String {
    job(&format!("    steps:\n      - {rest}\n"))
}

#[test]
fn everything_that_cannot_be_carried_out_is_named_with_its_line() {
    let cases: Vec<(String, u64, &str)> = vec![
        (step("uses: actions/checkout@v4"), 8, "cannot run actions: `uses: actions/checkout@v4`"),
        (job("    uses: ./.github/workflows/x.yml\n"), 7, "cannot run actions: `uses: ./.github/workflows/x.yml`"),
        (job("    strategy: {matrix: {a: [1]}}\n    steps: [{run: x}]\n"), 7, "\"strategy\" in the job \"one\""),
        (job("    container: debian\n    steps: [{run: x}]\n"), 7, "\"container\""),
        (job("    services: {}\n    steps: [{run: x}]\n"), 7, "\"services\""),
        (step("{run: x, with: {a: b}}"), 8, "\"with\" in a step"),
        (step("{run: x, shell: pwsh}"), 8, "no shell \"pwsh\""),
        (step("{run: \"${{ matrix.os }}\"}"), 8, "`matrix.os`: the sandbox has no context \"matrix\""),
        (step("{run: \"${{ githb.sha }}\"}"), 8, "`githb.sha`: there is no context \"githb\""),
        (step("{run: \"${{ hashFiles('x') }}\"}"), 8, "no function \"hashFiles\""),
        (step("{run: \"${{ success() }}\"}"), 8, "\"success\" is not available in jobs.<job_id>.steps"),
        (step("{run: \"${{ contains('a') }}\"}"), 8, "does not take 1 arguments"),
        (step("{run: \"${{ github.event.labels.*.name }}\"}"), 8, "object filters"),
        (step("{run: \"${{ github.sha \"}"), 8, "no closing"),
        (step("{run: \"${{ 'a' = 'b' }}\"}"), 8, "unexpected '='"),
        (step("{run: \"${{ \\\"a\\\" }}\"}"), 8, "single quotes"),
        (step("{run: x, if: \"secrets.KEY != ''\"}"), 8, "\"secrets\" is not available in jobs.<job_id>.steps.if"),
        (step("{run: x, if: \"${{ github.ref }} == 'x'\"}"), 8, "always true"),
        (job("    if: env.A == ''\n    steps: [{run: x}]\n"), 7, "\"env\" is not available in jobs.<job_id>.if"),
        (
            job("    env: {A: \"${{ env.B }}\"}\n    steps: [{run: x}]\n"),
            7,
            "\"env\" is not available in jobs.<job_id>.env",
        ),
        (job("    needs: two\n    steps: [{run: x}]\n"), 5, "needs \"two\", which there is not"),
        (job("    needs: one\n    steps: [{run: x}]\n"), 5, "needs itself"),
        (job("    permissions: {variables: write}\n    steps: [{run: x}]\n"), 7, "no permission \"variables\""),
        (job("    permissions: {contents: admin}\n    steps: [{run: x}]\n"), 7, "none of read, write, none"),
        (by_hand(&format!("concurrency: {{group: a, queue: max}}\n{}", script("x"))), 4, "\"queue\" in concurrency"),
        (by_hand(&format!("permisions: {{}}\n{}", script("x"))), 4, "\"permisions\" in the workflow"),
        (format!("on:\n  schedule: [{{cron: '0 0 * * *', timezone: UTC}}]\n{}", script("x")), 2, "\"timezone\""),
        (format!("on:\n  schedule: [{{cron: '* * * * *'}}]\n{}", script("x")), 2, "less than 5 minutes"),
        (format!("on:\n  push: {{branch: main}}\n{}", script("x")), 2, "\"branch\" in on.push"),
        (format!("on: pushed\n{}", script("x")), 1, "no trigger \"pushed\""),
        (
            format!("on:\n  workflow_dispatch:\n    inputs: {{a: {{type: environment}}}}\n{}", script("x")),
            3,
            "environment",
        ),
        ("on: push\njobs:\n  one: {}\n".to_owned(), 3, "no steps"),
        ("on: push\n".to_owned(), 1, "no jobs"),
        ("on: push\njobs: [\n".to_owned(), 2, "unclosed"),
        (step("{id: a, run: x}\n      - {id: A, run: x}"), 5, "two steps with the id"),
        (step("{id: 1a, run: x}"), 8, "is no name"),
    ];
    for (text, line, words) in cases {
        let found = check_workflow("w.yml", &text).expect_err(&text);
        let expected = format!("w.yml:{line}: ");
        assert!(
            found.iter().any(|message| message.starts_with(&expected) && message.contains(words)),
            "{expected}{words}\n{found:#?}\n{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_an_action_fails_before_any_step() {
    let stage = Stage::new().await;
    stage.put(
        "push.yml",
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps: [{run: echo hi}, {uses: a/b@v1}]\n",
    );
    let run = stage.sandbox().runs("alice", "primary").pop().unwrap();
    assert_eq!((run.conclusion, run.jobs.len()), (Some(Conclusion::Failure), 0));
    assert_eq!(
        run.problem.as_deref(),
        Some(".github/workflows/push.yml:5: the sandbox cannot run actions: `uses: a/b@v1`")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_found_out_on_the_way_ends_the_run_in_spite_of_continue_on_error() {
    let cases = [
        ("${{ github.no_such_thing }}", "no \"no_such_thing\" in the context github"),
        ("${{ github.event.no_such_thing }}", "in github.event"),
        ("${{ steps.none.outputs.x }}", "no \"none\" in the steps of this job"),
        ("${{ needs.none.result }}", "no \"none\" in the jobs that this job needs"),
        ("${{ inputs.none }}", "inputs that the workflow declares"),
        ("${{ runner.none }}", "in the context runner"),
        ("${{ fromJSON('{') }}", "no JSON"),
        ("${{ format('{1}', 'a') }}", "no value for {1}"),
        ("::set-output name=a::b", "the command `::set-output::`"),
    ];
    let stage = Stage::new().await;
    for (words, message) in cases {
        let jobs = format!(
            "jobs:\n  one:\n    continue-on-error: true\n    runs-on: ubuntu-latest\n    steps:\n      - \
             continue-on-error: true\n        run: echo \"{words}\"\n      - run: echo never\n"
        );
        let run = stage.run(&jobs).await;
        assert_eq!(run.conclusion, Some(Conclusion::Failure), "{words}");
        let problem = run.problem.unwrap();
        assert!(problem.starts_with(".github/workflows/hand.yml:") && problem.contains(message), "{words}: {problem}");
        assert!(!stage.log(run.id).contains("Z never"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_variables_secrets_and_outputs_are_empty_as_on_github() {
    let stage = Stage::new().await;
    let run = stage
        .run(&script("echo \"[${{ vars.NONE }}${{ secrets.NONE }}${{ env.NONE }}${{ github.event.schedule }}]\""))
        .await;
    assert_eq!(run.conclusion, Some(Conclusion::Success));
    assert!(stage.log(run.id).contains("Z []"), "{}", stage.log(run.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_checked_before_a_run_starts() {
    let stage = Stage::new().await;
    let text = format!(
        "on:\n  workflow_dispatch:\n    inputs:\n      who: {{required: true}}\n      loud: {{type: boolean}}\n      \
         how: {{type: choice, options: [a, b], default: b}}\n{}",
        script("echo \"${{ inputs.who }} ${{ inputs.loud && 'loud' || 'quiet' }} ${{ github.event.inputs.how }}\"")
    );
    stage.put("hand.yml", &text);
    let dispatch = async |inputs| {
        let path = "/repos/alice/primary/actions/workflows/hand.yml/dispatches";
        stage.world.rest().post(path, json!({"ref": "main", "inputs": inputs})).await
    };
    for (inputs, message) in [
        (json!({}), "Required input 'who' not provided"),
        (json!({"who": "x", "more": "y"}), "Unexpected inputs provided: [\"more\"]"),
        (json!({"who": "x", "how": "c"}), "Provided value 'c' for input 'how'"),
    ] {
        let got = dispatch(inputs).await;
        assert_eq!(got.status, 422);
        assert!(got.message().contains(message), "{}", got.message());
    }
    assert_eq!(dispatch(json!({"who": "me", "loud": "true"})).await.status, 204);
    let id = stage.sandbox().runs("alice", "primary").pop().unwrap().id;
    stage.ended(id).await;
    assert!(stage.log(id).contains("Z me loud b"), "{}", stage.log(id));
}
