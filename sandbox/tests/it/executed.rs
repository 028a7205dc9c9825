//! Workflows that are really carried out: steps, environment, outputs, masks, jobs and their needs.

use standin_sandbox::{AnnotationLevel, Conclusion, RunStatus};

use crate::support::{Stage, script};

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_in_real_bash_with_what_github_gives_them() {
    let stage = Stage::new().await;
    let run = stage
        .run(&script(
            "echo \"event $GITHUB_EVENT_NAME of $GITHUB_REPOSITORY by $GITHUB_ACTOR on $GITHUB_REF\"\n\
             echo \"run $GITHUB_RUN_ID $GITHUB_RUN_ATTEMPT $GITHUB_RUN_NUMBER ci=$CI actions=$GITHUB_ACTIONS\"\n\
             [[ $PWD == \"$GITHUB_WORKSPACE\" ]] && [[ -z $(ls -A) ]] && echo empty\n\
             [[ $HOME != \"$OLD\" && -z $(ls $HOME) ]] && echo own home\n\
             jq -r .inputs < \"$GITHUB_EVENT_PATH\"\n\
             curl -fsS \"$GITHUB_API_URL/meta\" | jq -r .web[0]\n\
             git ls-remote \"https://x:${{ github.token }}@nowhere.invalid/x\" 2>&1 | head -1 || true\n\
             false | true",
        ))
        .await;
    let log = stage.log(run.id);
    assert_eq!(run.conclusion, Some(Conclusion::Failure), "pipefail\n{log}");
    assert!(log.contains("event workflow_dispatch of alice/primary by alice on refs/heads/main"), "{log}");
    assert!(log.contains(&format!("run {} 1 1 ci=true actions=true", run.id)), "{log}");
    for words in ["empty", "own home", "127.0.0.1/32", "Process completed with exit code 1."] {
        assert!(log.contains(words), "{words}\n{log}");
    }
    assert_eq!(run.jobs[0].steps[0].conclusion, Some(Conclusion::Failure));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_travel_by_env_outputs_path_and_needs() {
    let stage = Stage::new().await;
    stage.sandbox().set_variable("alice", "primary", "COLOUR", "blue");
    let run = stage
        .run(
            r#"
env:
  WHERE: workflow
  TOP: ${{ vars.COLOUR }}
jobs:
  first:
    runs-on: ubuntu-latest
    outputs:
      answer: ${{ steps.make.outputs.answer }}
    env: {WHERE: job}
    steps:
      - id: make
        run: |
          echo "answer=42" >> "$GITHUB_OUTPUT"
          printf 'lines<<END\none\ntwo\nEND\n' >> "$GITHUB_OUTPUT"
          echo "LATER=kept" >> "$GITHUB_ENV"
          mkdir bin && printf '#!/bin/sh\necho from the path\n' > bin/mine && chmod +x bin/mine
          echo "$PWD/bin" >> "$GITHUB_PATH"
          echo "Summary" >> "$GITHUB_STEP_SUMMARY"
      - env: {WHERE: step, SEEN: "${{ steps.make.outputs.answer }}-${{ env.LATER }}"}
        run: |
          mine
          echo "[$WHERE] [$TOP] [$LATER] [$SEEN] [${{ env.WHERE }}] [${{ steps.make.conclusion }}]"
          echo "[${{ steps.make.outputs.lines }}]"
  second:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - run: echo "needed ${{ needs.first.outputs.answer }} ${{ needs.first.result }}"
"#,
        )
        .await;
    let log = stage.log(run.id);
    assert_eq!(run.conclusion, Some(Conclusion::Success), "{log}");
    for words in ["from the path", "[step] [blue] [kept] [42-kept] [step] [success]", "two]", "needed 42 success"] {
        assert!(log.contains(words), "{words}\n{log}");
    }
    assert_eq!(run.jobs[0].outputs["answer"], "42");
    assert_eq!(run.jobs[0].summary, "Summary\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_masked_in_logs_outputs_and_remarks() {
    let stage = Stage::new().await;
    stage.sandbox().set_secret("alice", "primary", "KEY", b"hunter two\nline three");
    let run = stage
        .run(
            r#"
jobs:
  one:
    runs-on: ubuntu-latest
    outputs:
      leak: ${{ steps.leak.outputs.leak }}
    steps:
      - id: leak
        env: {KEY: "${{ secrets.KEY }}", NONE: "${{ secrets.NOT_THERE }}"}
        run: |
          [[ -z $NONE ]] && echo "$KEY"
          echo "leak=hunter two" >> "$GITHUB_OUTPUT"
          echo "::warning title=Careful::hunter two"
          echo "::add-mask::derived"
          echo "derived ${#KEY}"
          tr '\0' '\n' < /proc/$$/cmdline | grep -c hunter || true
          echo "token ${{ github.token }}"
"#,
        )
        .await;
    let log = stage.log(run.id);
    assert_eq!(run.conclusion, Some(Conclusion::Success), "{log}");
    assert!(!log.contains("hunter two") && !log.contains("line three") && !log.contains("ghs_"), "{log}");
    assert!(log.contains("*** 21") && log.contains("token ***"), "{log}");
    assert!(run.jobs[0].outputs.is_empty(), "an output with a secret is not passed on");
    let remark = &run.jobs[0].annotations[0];
    assert_eq!((remark.level, remark.message.as_str()), (AnnotationLevel::Warning, "***"));
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_continue_on_error_decide_what_runs() {
    let stage = Stage::new().await;
    let run = stage
        .run(
            r#"
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {id: soft, continue-on-error: true, run: exit 3}
      - {if: "steps.soft.outcome == 'failure' && steps.soft.conclusion == 'success'", run: echo softly}
      - {if: "${{ false }}", run: echo never}
      - {run: exit 4}
      - {run: echo skipped}
      - {if: failure(), run: echo after failure}
      - {if: always(), run: "echo status ${{ job.status }}"}
      - {if: cancelled(), run: echo cancelled}
  needs_it:
    needs: one
    runs-on: ubuntu-latest
    steps: [{run: echo no}]
  cleans:
    needs: one
    if: ${{ failure() && needs.one.result == 'failure' }}
    runs-on: ubuntu-latest
    steps: [{run: echo cleaning}]
  tolerated:
    continue-on-error: true
    runs-on: ubuntu-latest
    steps: [{run: exit 1}]
  after_tolerated:
    needs: tolerated
    runs-on: ubuntu-latest
    steps: [{run: echo still}]
"#,
        )
        .await;
    let log = stage.log(run.id);
    let steps: Vec<Option<Conclusion>> = run.jobs[0].steps.iter().map(|step| step.conclusion).collect();
    use Conclusion::{Failure, Skipped, Success};
    let expected = [Success, Success, Skipped, Failure, Skipped, Success, Success, Skipped].map(Some);
    assert_eq!(steps, expected, "{log}");
    assert!(log.contains("softly") && log.contains("status failure"), "{log}");
    let jobs: Vec<Option<Conclusion>> = run.jobs.iter().map(|job| job.conclusion).collect();
    assert_eq!(jobs, [Failure, Skipped, Success, Failure, Success].map(Some), "{log}");
    assert_eq!((run.status, run.conclusion), (RunStatus::Completed, Some(Failure)));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_stop_at_errors_as_their_shell_says() {
    let stage = Stage::new().await;
    let run = stage
        .run(
            r#"
defaults: {run: {working-directory: sub}}
jobs:
  one:
    runs-on: ubuntu-latest
    defaults: {run: {shell: sh}}
    steps:
      - {working-directory: ., run: mkdir -p sub/deep}
      - {run: 'basename "$PWD"; [ -z "$BASH_VERSION" ] && echo plain sh'}
      - {shell: bash, working-directory: sub/deep, run: 'basename "$PWD"; echo "flags $-"; [[ -o pipefail ]] && echo piped'}
  two:
    runs-on: [ubuntu-latest]
    steps:
      - {working-directory: /, run: 'false | true; [[ -o pipefail ]] || echo unspecified goes on; false; echo never'}
"#,
        )
        .await;
    let log = stage.log(run.id);
    for words in ["Z sub\n", "plain sh", "Z deep\n", "piped", "unspecified goes on"] {
        assert!(log.contains(words), "{words}\n{log}");
    }
    assert!(!log.contains("Z never"), "{log}");
    assert_eq!(run.jobs[0].conclusion, Some(Conclusion::Success));
    assert_eq!(run.jobs[1].conclusion, Some(Conclusion::Failure));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_only_counted_stays_queued() {
    let stage = Stage::new().await;
    stage.sandbox().execute_workflows("alice", "primary", standin_sandbox::Execute::Only(vec!["other.yml".to_owned()]));
    let run = stage.run(&script("echo never")).await;
    assert_eq!((run.status, run.executed, run.jobs.len()), (RunStatus::Queued, false, 0));
}
