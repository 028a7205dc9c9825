//! Secrets and variables over REST.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Rest, World};

const SECRETS: &str = "/repos/alice/primary/actions/secrets";
const VARIABLES: &str = "/repos/alice/primary/actions/variables";

pub async fn seal(rest: &Rest, value: &[u8]) -> Value {
    let key = rest.get(&format!("{SECRETS}/public-key")).await.json();
    let bytes: [u8; 32] = STANDARD.decode(key["key"].as_str().unwrap()).unwrap().try_into().unwrap();
    let sealed = crypto_box::PublicKey::from(bytes).seal(&mut crypto_box::aead::OsRng, value).unwrap();
    json!({"encrypted_value": STANDARD.encode(sealed), "key_id": key["key_id"]})
}

#[tokio::test]
async fn a_sealed_secret_arrives_byte_equal_and_is_never_given_back() {
    let world = World::new().await;
    let rest = world.rest();
    let value = b"line\nline\r\n\0\xff$`\"' ";
    let body = seal(&rest, value).await;
    assert_eq!(rest.put(&format!("{SECRETS}/api_key"), body).await.status, 201);
    assert_eq!(world.sandbox.secret_value("alice", "primary", "API_KEY").unwrap(), value);
    let body = seal(&rest, b"new").await;
    assert_eq!(rest.put(&format!("{SECRETS}/API_KEY"), body).await.status, 204);
    assert_eq!(world.sandbox.secret_value("alice", "primary", "api_key").unwrap(), b"new");
    let list = rest.get(SECRETS).await.json();
    assert_eq!(list["total_count"], 1);
    assert_eq!(list["secrets"][0]["name"], "API_KEY");
    assert_eq!(rest.delete(&format!("{SECRETS}/API_KEY")).await.status, 204);
    assert_eq!(rest.get(&format!("{SECRETS}/API_KEY")).await.status, 404);
}

#[tokio::test]
async fn secrets_obey_the_rules_of_names_seal_size_and_number() {
    let world = World::new().await;
    let rest = world.rest();
    let good = seal(&rest, b"x").await;
    for name in ["1ST", "GITHUB_X", "WITH-DASH"] {
        assert_eq!(rest.put(&format!("{SECRETS}/{name}"), good.clone()).await.status, 422, "{name}");
    }
    let bad = json!({"encrypted_value": STANDARD.encode("not sealed at all, but long enough for a box ........."), "key_id": good["key_id"]});
    let got = rest.put(&format!("{SECRETS}/X"), bad).await;
    assert_eq!(got.status, 422);
    assert!(got.message().contains("improperly encrypted"), "{}", got.message());
    let most = seal(&rest, &vec![b'x'; 48 * 1024]).await;
    assert_eq!(rest.put(&format!("{SECRETS}/X"), most).await.status, 201);
    let more = seal(&rest, &vec![b'x'; 48 * 1024 + 1]).await;
    assert_eq!(rest.put(&format!("{SECRETS}/X"), more).await.status, 422);
    for number in 1..100 {
        world.sandbox.set_secret("alice", "primary", &format!("S{number}"), b"x");
    }
    assert_eq!(rest.put(&format!("{SECRETS}/ONE_MORE"), good.clone()).await.status, 422);
    assert_eq!(rest.put(&format!("{SECRETS}/X"), good).await.status, 204);
}

#[tokio::test]
async fn variables_are_made_read_changed_and_deleted() {
    let world = World::new().await;
    let rest = world.rest();
    let create = json!({"name": "deploy_mode", "value": "blue"});
    assert_eq!(rest.post(VARIABLES, create.clone()).await.status, 201);
    assert_eq!(rest.post(VARIABLES, create).await.status, 409);
    let got = rest.get(&format!("{VARIABLES}/Deploy_Mode")).await.json();
    assert_eq!((&got["name"], &got["value"]), (&json!("DEPLOY_MODE"), &json!("blue")));
    let change = json!({"value": "green"});
    assert_eq!(rest.patch(&format!("{VARIABLES}/DEPLOY_MODE"), change.clone()).await.status, 204);
    assert_eq!(world.sandbox.variable("alice", "primary", "deploy_mode").unwrap(), "green");
    assert_eq!(rest.patch(&format!("{VARIABLES}/MISSING"), change).await.status, 404);
    assert_eq!(rest.delete(&format!("{VARIABLES}/DEPLOY_MODE")).await.status, 204);
    assert!(world.sandbox.variables("alice", "primary").is_empty());
}

#[tokio::test]
async fn lists_come_in_pages_with_links() {
    let world = World::new().await;
    for number in 0..25 {
        world.sandbox.set_variable("alice", "primary", &format!("V{number:02}"), "x");
    }
    let rest = world.rest();
    let got = rest.get(VARIABLES).await;
    assert_eq!(got.json()["total_count"], 25);
    assert_eq!(got.json()["variables"].as_array().unwrap().len(), 10);
    let got = rest.get(&format!("{VARIABLES}?per_page=20&page=2")).await;
    assert_eq!(got.json()["variables"].as_array().unwrap().len(), 5);
    assert!(got.header("link").contains("rel=\"prev\""), "{}", got.header("link"));
    let got = rest.get(&format!("{VARIABLES}?per_page=20")).await;
    let next = format!("<{}{VARIABLES}?per_page=20&page=2>; rel=\"next\"", world.sandbox.api_url());
    assert!(got.header("link").contains(&next), "{}", got.header("link"));
}
