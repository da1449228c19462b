//! Passwords and questions at login. OpenSSH's server asks the system's users for theirs, so a server of our own
//! stands in for it here.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
};

use crate::sshd::Client;
use russh::{
    Channel, ChannelId, MethodKind, MethodSet,
    keys::{PrivateKey, load_secret_key},
    server::{
        Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey, run_stream,
    },
};
use store::door::{ConstantChance, FixedClock};
use tokio::{io::AsyncReadExt, net::TcpListener};
use transport::{
    Error,
    address::Address,
    carrier::{HostKeyQuestion, NoInput, Plan, Prompt, Surroundings, Wish, World, carrier},
};
use zeroize::Zeroizing;

/// What the server wants, one after the other.
#[derive(Clone, Copy)]
enum Wants {
    Password,
    Answers,
    Both,
    /// Any key.
    Key,
}

struct Server {
    wants: Wants,
    passed: bool,
    asked: Asked,
}

/// What a client asked for, in order.
type Asked = Arc<Mutex<Vec<&'static str>>>;

impl Server {
    fn method(&self) -> MethodKind {
        match self.wants {
            Wants::Password => MethodKind::Password,
            Wants::Answers => MethodKind::KeyboardInteractive,
            Wants::Both if self.passed => MethodKind::KeyboardInteractive,
            Wants::Both => MethodKind::Password,
            Wants::Key => MethodKind::PublicKey,
        }
    }

    fn no(&self, partial_success: bool) -> Auth {
        Auth::Reject { proceed_with_methods: Some(MethodSet::from(&[self.method()][..])), partial_success }
    }
}

impl Handler for Server {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        self.asked.lock().unwrap().push("nothing");
        Ok(self.no(false))
    }

    async fn auth_publickey_offered(&mut self, _: &str, _: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        self.asked.lock().unwrap().push("key");
        Ok(if matches!(self.wants, Wants::Key) { Auth::Accept } else { self.no(false) })
    }

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(if matches!(self.wants, Wants::Key) { Auth::Accept } else { self.no(false) })
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        Ok(Some("Welcome\x1b[31m\n".into()))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        self.asked.lock().unwrap().push("password");
        let good = user == "joe" && password == "secret" && self.method() == MethodKind::Password;
        Ok(match (good, self.wants) {
            (true, Wants::Both) => {
                self.passed = true;
                self.no(true)
            }
            (true, _) => Auth::Accept,
            (false, _) => self.no(false),
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(response) = response else {
            let prompts = vec![("Name: ".into(), true), ("Co\x07de: ".into(), false)];
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "Two things".into(),
                prompts: Cow::Owned(prompts),
            });
        };
        let answers: Vec<Vec<u8>> = response.map(|bytes| bytes.to_vec()).collect();
        Ok(if answers == [b"secret".to_vec(), b"secret".to_vec()] { Auth::Accept } else { self.no(false) })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        session.data(channel, b"in".to_vec())?;
        session.exit_status_request(channel, 0)?;
        session.close(channel)
    }
}

/// Serves on a thread of its own until the test ends; its port.
fn serve(client: &Client, wants: Wants, asked: Asked) -> u16 {
    let key: PrivateKey = load_secret_key(client.key("ed25519", ""), None).unwrap();
    let methods = [MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive];
    let config = Arc::new(Config {
        keys: vec![key],
        methods: MethodSet::from(&methods[..]),
        auth_rejection_time: std::time::Duration::ZERO,
        ..Config::default()
    });
    let (tell, port) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (config, asked) = (config.clone(), asked.clone());
                let server = Server { wants, passed: false, asked };
                tokio::spawn(async move {
                    if let Ok(session) = run_stream(config, stream, server).await {
                        session.await.ok();
                    }
                });
            }
        });
    });
    port.recv().unwrap()
}

struct Person {
    knows: &'static str,
    log: Mutex<Vec<String>>,
}

impl Person {
    fn who_knows(knows: &'static str) -> Arc<Self> {
        Arc::new(Self { knows, log: Mutex::default() })
    }

    fn note(&self, what: &str) -> Option<Zeroizing<String>> {
        self.log.lock().unwrap().push(what.to_owned());
        Some(self.knows.to_owned().into())
    }
}

impl Prompt for Person {
    fn may_ask(&self) -> bool {
        true
    }
    fn host_key(&self, _: &HostKeyQuestion) -> bool {
        true
    }
    fn passphrase(&self, what: &str) -> Option<Zeroizing<String>> {
        self.note(what)
    }
    fn password(&self, what: &str) -> Option<Zeroizing<String>> {
        self.note(what)
    }
    fn answer(&self, question: &str, echo: bool) -> Option<Zeroizing<String>> {
        self.note(&format!("{question}{}", if echo { " (shown)" } else { "" }))
    }
    fn notice(&self, text: &str) {
        if !text.contains("is now known") {
            self.note(&format!("notice: {text}"));
        }
    }
    fn remote_line(&self, _: &str) {}
}

fn login(wants: Wants, prompt: Arc<dyn Prompt>) -> Result<String, Error> {
    let client = Client::new();
    login_by(&client, "", wants, prompt, Asked::default())
}

/// With more lines of configuration.
fn login_by(
    client: &Client,
    lines: &str,
    wants: Wants,
    prompt: Arc<dyn Prompt>,
    asked: Asked,
) -> Result<String, Error> {
    let port = serve(client, wants, asked);
    client.config(&format!(
        "Host nas\n HostName 127.0.0.1\n Port {port}\n User joe\n StrictHostKeyChecking accept-new\n{lines}"
    ));
    let around = Surroundings { home: client.home().to_owned(), ssh: Some(client.ssh()), ..Surroundings::default() };
    let world = World { prompt, clock: Arc::new(FixedClock::at(0)), chance: Arc::new(ConstantChance::new(1)) };
    let plan = Plan { wish: Wish::Embedded, ..Plan::default() };
    let (carrier, _) = carrier(&Address::parse("ssh://nas").unwrap(), &plan, &around, world).unwrap();
    let pipe = carrier.open()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Ok(runtime.block_on(async {
        let (mut reader, _writer, _keep) = pipe.split().unwrap();
        let mut said = String::new();
        reader.read_to_string(&mut said).await.unwrap();
        said
    }))
}

const BANNER: &str = "notice: Welcome\\u{1b}[31m";

#[test]
fn a_password() {
    let right = Person::who_knows("secret");
    assert_eq!(login(Wants::Password, right.clone()).unwrap(), "in");
    assert_eq!(*right.log.lock().unwrap(), [BANNER, "the password of joe@127.0.0.1"]);

    let wrong = Person::who_knows("wrong");
    let refused = login(Wants::Password, wrong.clone()).unwrap_err();
    assert!(matches!(&refused, Error::Auth { who, .. } if who == "joe@127.0.0.1"), "{refused}");
    assert_eq!(wrong.log.lock().unwrap().len(), 4);
    assert!(!format!("{refused} {refused:?}").contains("wrong"));
}

#[test]
fn answers_to_questions() {
    let right = Person::who_knows("secret");
    assert_eq!(login(Wants::Answers, right.clone()).unwrap(), "in");
    assert_eq!(
        *right.log.lock().unwrap(),
        [BANNER, "notice: Two things", "(joe@127.0.0.1) Name: (shown)", "(joe@127.0.0.1) Co\\u{7}de:"]
    );
}

#[test]
fn one_after_the_other() {
    assert_eq!(login(Wants::Both, Person::who_knows("secret")).unwrap(), "in");
}

#[test]
fn nobody_there() {
    for wants in [Wants::Password, Wants::Answers] {
        let refused = login(wants, Arc::new(NoInput)).unwrap_err();
        assert!(matches!(&refused, Error::Auth { why, .. } if why.contains("nobody is there")), "{refused}");
    }
}

#[test]
fn a_key_is_shown_before_anything_is_asked() {
    let by = |wants: Wants, prompt: Arc<dyn Prompt>| {
        let client = Client::new();
        let key = client.key("ecdsa", "");
        let asked = Asked::default();
        let told = login_by(&client, &format!(" IdentityFile {}\n", key.display()), wants, prompt, asked.clone());
        let asked = asked.lock().unwrap().clone();
        (told, asked)
    };
    let (told, asked) = by(Wants::Key, Arc::new(NoInput));
    assert_eq!((told.unwrap(), asked), ("in".to_owned(), vec!["key"]));
    // Of no use there, and not shown again.
    let (told, asked) = by(Wants::Password, Person::who_knows("secret"));
    assert_eq!((told.unwrap(), asked), ("in".to_owned(), vec!["key", "nothing", "password"]));
    let (told, asked) = by(Wants::Password, Arc::new(NoInput));
    assert!(matches!(told.unwrap_err(), Error::Auth { why, .. } if why.ends_with("the server takes password")));
    assert_eq!(asked, ["key", "nothing"]);
}
