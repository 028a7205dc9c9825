//! GitHub's expressions, case by case.

use super::scopes::{STEP_ANY, STEP_IF};
use super::{Condition, Contexts, Object, Standing, Template, Value};

fn contexts() -> Contexts {
    let json = |text: &str| Value::from(serde_json::from_str::<serde_json::Value>(text).unwrap());
    let mut contexts = Contexts::default();
    let event = ("event".to_owned(), json(r#"{"list": ["a", "B", 3], "deep": {"Key-one": true, "none": null}}"#));
    contexts.set("github", Object::closed("the context github", [event, ("ref".to_owned(), "refs/heads/main".into())]));
    contexts.set("env", Object::open([("NAME".to_owned(), "Mona".into()), ("EMPTY".to_owned(), "".into())]));
    contexts.set("vars", Object::open([("ZERO".to_owned(), "0".into())]));
    contexts
}

fn evaluate(expression: &str) -> Result<Value, String> {
    Template::parse(&format!("${{{{ {expression} }}}}"), &STEP_ANY)?.evaluate(&contexts())
}

fn text(expression: &str) -> String {
    evaluate(expression).unwrap_or_else(|message| panic!("{message}")).to_text()
}

#[test]
fn literals_and_look_ups() {
    for (expression, expected) in [
        ("null", ""),
        ("true", "true"),
        ("711", "711"),
        ("-9.2", "-9.2"),
        ("0xff", "255"),
        ("0o17", "15"),
        ("-2.99e2", "-299"),
        (".5", "0.5"),
        ("'Mona the Octocat'", "Mona the Octocat"),
        ("'It''s'", "It's"),
        ("'}}'", "}}"),
        ("env.NAME", "Mona"),
        ("ENV.name", "Mona"),
        ("env['NAME']", "Mona"),
        ("env[format('{0}', 'NAME')]", "Mona"),
        ("env.NONE", ""),
        ("env.NONE.deeper", ""),
        ("github.event.deep.key-one", "true"),
        ("github.event.list[1]", "B"),
        ("github.event.list[9]", ""),
        ("github.event.list", "Array"),
        ("github.event.deep", "Object"),
        ("(github.event).deep['none']", ""),
    ] {
        assert_eq!(text(expression), expected, "{expression}");
    }
}

#[test]
fn equality_and_order_are_as_loose_as_githubs() {
    for (expression, expected) in [
        ("1 == 1.0", true),
        ("'1' == 1", true),
        ("' 1 ' == 1", true),
        ("'0x10' == 16", true),
        ("'' == 0", true),
        ("null == 0", true),
        ("null == ''", true),
        ("null == false", true),
        ("true == 1", true),
        ("true == '1'", true),
        ("'true' == true", false),
        ("'a' == 'A'", true),
        ("'a' == 'á'", false),
        ("'abc' == 0", false),
        ("NaN == NaN", false),
        ("'x' == NaN", false),
        ("github.event.list == github.event.list", true),
        ("fromJSON('[1]') == fromJSON('[1]')", false),
        ("fromJSON('{}') == ''", false),
        ("null != null", false),
        ("1 < 2", true),
        ("'10' < 9", false),
        ("'10' < '9'", true),
        ("'a' < 'B'", true),
        ("'b' <= 'B'", true),
        ("'x' > 1", false),
        ("'x' <= 1", false),
        ("null >= 0", true),
        ("true > false", true),
        ("!'' && !0 && !null && !NaN && !-0", true),
        ("!!'0'", true),
        ("!!'false'", true),
        ("!!fromJSON('[]')", true),
        ("1 == 1 == true", true),
        ("1 < 2 == true", true),
        ("true || false && false", true),
        ("(true || false) && false", false),
        ("vars.ZERO == 0 && vars.ZERO && true", true),
    ] {
        assert_eq!(text(expression), expected.to_string(), "{expression}");
    }
}

#[test]
fn and_and_or_give_what_decided_and_look_no_further() {
    for (expression, expected) in [
        ("env.NAME || 'nobody'", "Mona"),
        ("env.EMPTY || 'nobody'", "nobody"),
        ("env.NAME && 'yes' || 'no'", "yes"),
        ("env.NONE && 'yes' || 'no'", "no"),
        ("env.NONE && github.mistake", ""),
        ("true || github.mistake", "true"),
    ] {
        assert_eq!(text(expression), expected, "{expression}");
    }
}

#[test]
fn functions() {
    for (expression, expected) in [
        ("contains('Hello world', 'LLO')", "true"),
        ("contains(github.event.list, 'b')", "true"),
        ("contains(github.event.list, 'ab')", "false"),
        ("contains(github.event.list, '3')", "true"),
        ("contains(fromJSON('[\"push\", \"schedule\"]'), 'push')", "true"),
        ("contains(1234, 23)", "true"),
        ("startsWith('Hello', 'he')", "true"),
        ("endsWith('Hello', 'LO')", "true"),
        ("startsWith(github.ref, 'refs/tags/')", "false"),
        ("format('{{Hello}} {0} {1} {0}', 'Mona', 2)", "{Hello} Mona 2 Mona"),
        ("join(github.event.list, ', ')", "a, B, 3"),
        ("join(github.event.list)", "a,B,3"),
        ("join('one', '-')", "one"),
        ("toJSON(github.event.list)", "[\n  \"a\",\n  \"B\",\n  3\n]"),
        ("toJSON('a\"b')", "\"a\\\"b\""),
        ("fromJSON('{\"a\": {\"b\": [1, 2.5]}}').a.b[1]", "2.5"),
        ("fromJSON('true') == true", "true"),
        ("FROMJSON(toJSON(env.NAME))", "Mona"),
    ] {
        assert_eq!(text(expression), expected, "{expression}");
    }
}

#[test]
fn what_cannot_be_evaluated_names_the_expression() {
    for (expression, message) in [
        ("", "an expression was expected"),
        ("1 +", "is no number"),
        ("a b", "unexpected"),
        ("github.", "a name was expected"),
        ("github[", "it ends too early"),
        ("(1", "is missing at the end"),
        ("'open", "no closing"),
        ("\"a\"", "single quotes"),
        ("github.event.*", "object filters"),
        ("github.mistake", "no \"mistake\" in the context github"),
        ("secret.KEY", "there is no context \"secret\""),
        ("steps.a", "there is no context \"steps\" here"),
        ("hashFiles('**')", "the sandbox has no function"),
        ("nonsense()", "there is no function"),
        ("always()", "is not available in"),
        ("format('{')", "is not valid"),
        ("format('}')", "is not valid"),
        ("fromJSON(env.NAME)", "no JSON"),
    ] {
        let found = evaluate(expression).unwrap_err();
        assert!(found.contains(message) && found.starts_with('`'), "{expression}: {found}");
    }
    let secret = evaluate("fromJSON(env.NAME)").unwrap_err();
    assert!(!secret.contains("Mona"), "{secret}");
}

#[test]
fn texts_have_expressions_in_them_and_single_ones_keep_their_kind() {
    let read = |text: &str| Template::parse(text, &STEP_ANY).unwrap().evaluate(&contexts()).unwrap();
    assert_eq!(read("a ${{ env.NAME }}-${{ 1 == 1 }} $ {{ }} b").to_text(), "a Mona-true $ {{ }} b");
    assert!(matches!(read("${{ true }}"), Value::Bool(true)));
    assert!(matches!(read(" ${{ true }}"), Value::Text(_)));
    assert_eq!(read("").to_text(), "");
    assert!(Template::parse("${{ 'a }}' }}", &STEP_ANY).is_ok());
}

#[test]
fn conditions_ask_that_all_is_well_unless_they_say_otherwise() {
    let well = Standing { success: true, failure: false, cancelled: false };
    let failed = Standing { success: false, failure: true, cancelled: false };
    let cancelled = Standing { success: false, failure: false, cancelled: true };
    let met = |text: &str, standing| Condition::parse(text, &STEP_IF).unwrap().is_met(&contexts(), standing).unwrap();
    for (condition, expected) in [
        ("true", [true, false, false]),
        ("env.NAME == 'mona'", [true, false, false]),
        ("${{ env.NAME == 'mona' }}", [true, false, false]),
        ("env.NONE", [false, false, false]),
        ("always()", [true, true, true]),
        ("failure()", [false, true, false]),
        ("!cancelled()", [true, true, false]),
        ("${{ !success() }}", [false, true, true]),
        ("always() && env.NONE", [false, false, false]),
        ("failure() || success()", [true, true, false]),
    ] {
        assert_eq!([well, failed, cancelled].map(|standing| met(condition, standing)), expected, "{condition}");
    }
    assert!(Condition::parse("${{ true }} && false", &STEP_IF).unwrap_err().contains("always true"));
    assert!(Condition::parse("secrets.A", &STEP_IF).unwrap_err().contains("not available"));
}
