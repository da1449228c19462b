//! From a route to a connection that is logged in: streams, key exchange, host keys, authentication, hop by hop.

use std::{
    borrow::Cow,
    future::Future,
    pin::{Pin, pin},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use russh::{
    Channel, ChannelStream, Disconnect, Preferred, SshId,
    client::{self, ChannelOpenHandle, DisconnectReason, Handle, Msg, Session},
    keys::{Algorithm, PublicKeyOrCertificate},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::{World, auth, certificate, runtime};
use crate::{
    carrier::{
        algorithms::Offer,
        config::{Host, Proxy},
        host_key::HostKeys,
        prompt::Prompt,
    },
    error::{Error, Result, harmless},
};

/// Three times what a fast line of 100 ms needs; russh keeps no buffer of this size.
const WINDOW_BYTES: u32 = 32 << 20;
/// The most that SSH allows.
const PACKET_BYTES_MAX: u32 = 65535;
/// A silent server is asked after this long, …
const KEEPALIVE: Duration = Duration::from_secs(15);
/// … and given up after so many questions.
const KEEPALIVE_MAX: usize = 3;
/// The most time for a step of the handshake in which no person is being asked.
const STEP: Duration = Duration::from_secs(30);

/// A byte stream below SSH.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Why the connection has ended, once it has.
pub(super) type Ended = Arc<Mutex<Option<String>>>;

/// Asks on a thread that may block, and says meanwhile that it does.
#[derive(Clone)]
pub(super) struct Asker {
    prompt: Arc<dyn Prompt>,
    asking: Arc<AtomicUsize>,
}

impl Asker {
    pub(super) fn new(prompt: Arc<dyn Prompt>) -> Self {
        Self { prompt, asking: Arc::default() }
    }

    pub(super) fn may_ask(&self) -> bool {
        self.prompt.may_ask()
    }

    pub(super) fn notice(&self, text: &str) {
        self.prompt.notice(text);
    }

    /// `None` when the asking itself broke.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Prompt) -> R + Send + 'static,
    ) -> Option<R> {
        let prompt = self.prompt.clone();
        self.asking.fetch_add(1, Ordering::SeqCst);
        let answer = tokio::task::spawn_blocking(move || ask(&*prompt)).await;
        self.asking.fetch_sub(1, Ordering::SeqCst);
        answer.ok()
    }

    /// Waits for a step, which may take [`STEP`] and the time in which a person is being asked.
    async fn limit<T>(&self, what: &'static str, step: impl Future<Output = T>) -> Result<T> {
        let mut step = pin!(step);
        loop {
            match timeout(STEP, step.as_mut()).await {
                Ok(done) => return Ok(done),
                Err(_) if self.asking.load(Ordering::SeqCst) > 0 => {}
                Err(_) => return Err(Error::Timeout { what }),
            }
        }
    }
}

/// A chain of connections, each inside the one before; the last is the target's.
pub(super) struct Connection {
    /// The target's.
    pub(super) target: Handle<Door>,
    pub(super) ended: Ended,
    pub(super) set_env: Vec<(String, String)>,
    pub(super) name: String,
    hops: Vec<Handle<Door>>,
}

impl Connection {
    pub(super) async fn make(route: &[Host], world: &World) -> Result<Self> {
        let asker = Asker::new(world.prompt.clone());
        let mut hops: Vec<Handle<Door>> = Vec::new();
        let mut last: Option<(Handle<Door>, Ended, &Host)> = None;
        for host in route {
            let stream: Box<dyn Stream> = match last.take() {
                None => direct(host, world).await?,
                Some((handle, _, _)) => {
                    let stream = through(&handle, host, &asker).await?;
                    hops.push(handle);
                    Box::new(stream)
                }
            };
            let (mut handle, ended) = hello(stream, host, world, &asker).await?;
            asker.limit("answer to our login", auth::log_in(&mut handle, host, &asker)).await??;
            last = Some((handle, ended, host));
        }
        let Some((target, ended, host)) = last else { return Err(Error::lost("no host to connect to")) };
        Ok(Self { target, ended, set_env: host.set_env.clone(), name: host.alias.clone(), hops })
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.target.is_closed() && !self.hops.iter().any(Handle::is_closed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The sessions end with their handles; a farewell keeps the server's log clean. It is sent when there is room.
        let farewell = pin!(self.target.disconnect(Disconnect::ByApplication, "", ""));
        let mut context = Context::from_waker(std::task::Waker::noop());
        drop(farewell.poll(&mut context));
    }
}

fn unreachable(host: &Host, why: impl ToString) -> Error {
    Error::Unreachable { host: format!("{} port {}", host.name, host.port), why: why.to_string() }
}

/// The stream to the nearest host.
async fn direct(host: &Host, world: &World) -> Result<Box<dyn Stream>> {
    match &host.proxy {
        Proxy::Command(command) => Ok(Box::new(ProxyStream::start(command, host, world)?)),
        Proxy::None | Proxy::Jump(_) => Ok(Box::new(tcp(host).await?)),
    }
}

async fn tcp(host: &Host) -> Result<TcpStream> {
    let lookup = timeout(host.connect_timeout, tokio::net::lookup_host((host.name.as_str(), host.port)));
    let found = lookup.await.map_err(|_| unreachable(host, "its name is not resolved in time"))?;
    let wanted = |address: &std::net::SocketAddr| match host.printed.get("addressfamily") {
        Some("inet") => address.is_ipv4(),
        Some("inet6") => address.is_ipv6(),
        _ => true,
    };
    let mut why = "it has no address".to_owned();
    for address in found.map_err(|e| unreachable(host, e))?.filter(wanted) {
        match timeout(host.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A small frame must not wait for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(|e| unreachable(host, e))?;
                return Ok(stream);
            }
            Ok(Err(e)) => why = e.to_string(),
            Err(_) => why = format!("no answer within {} seconds", host.connect_timeout.as_secs()),
        }
    }
    Err(unreachable(host, why))
}

async fn through(hop: &Handle<Door>, host: &Host, asker: &Asker) -> Result<ChannelStream<Msg>> {
    let open = hop.channel_open_direct_tcpip(host.name.clone(), u32::from(host.port), "127.0.0.1", 0);
    match asker.limit("connection through a jump host", open).await? {
        Ok(channel) => Ok(channel.into_stream()),
        Err(e) => Err(unreachable(host, format!("the jump host does not connect to it: {e}"))),
    }
}

/// Key exchange and host key.
async fn hello(stream: Box<dyn Stream>, host: &Host, world: &World, asker: &Asker) -> Result<(Handle<Door>, Ended)> {
    let (prompt, chance) = (world.prompt.clone(), world.chance.clone());
    let keys = Arc::new(HostKeys::of(host, prompt, chance)?);
    let mut offer =
        Offer::for_host(host).map_err(|list| unreachable(host, format!("no algorithm of {list} is left")))?;
    offer.prefer_known(&keys.types());
    let config = Arc::new(client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-tuckbox_", env!("CARGO_PKG_VERSION")))),
        window_size: WINDOW_BYTES,
        maximum_packet_size: PACKET_BYTES_MAX,
        channel_buffer_size: 256,
        preferred: preferred(&offer, !keys.authorities().is_empty()),
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVE_MAX,
        nodelay: true,
        ..client::Config::default()
    });
    let ended = Ended::default();
    let now_s = world.clock.now_ms().div_euclid(1000);
    let door = Door { keys, host: Arc::new(host.clone()), asker: asker.clone(), ended: ended.clone(), now_s };
    match asker.limit("SSH handshake", client::connect_stream(config, stream, door)).await? {
        Ok(handle) => Ok((handle, ended)),
        Err(Why::Ours(error)) => Err(error),
        Err(Why::Ssh(russh::Error::Disconnect | russh::Error::HUP)) => {
            Err(unreachable(host, "it ended the connection during the SSH handshake"))
        }
        Err(Why::Ssh(e)) => Err(unreachable(host, e)),
    }
}

fn preferred(offer: &Offer, certificates: bool) -> Preferred {
    use russh::{cipher, kex, mac};
    let known = |names: &[&str]| names.iter().filter_map(|name| Algorithm::new(name).ok()).collect::<Vec<_>>();
    let mut kex: Vec<kex::Name> = offer.kex.iter().filter_map(|name| kex::Name::try_from(*name).ok()).collect();
    kex.extend([kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT]);
    let keys = known(&offer.keys);
    Preferred {
        kex: kex.into(),
        host_key_certificates: if certificates { keys.clone().into() } else { Cow::Borrowed(&[]) },
        key: keys.into(),
        cipher: offer.ciphers.iter().filter_map(|name| cipher::Name::try_from(*name).ok()).collect(),
        mac: offer.macs.iter().filter_map(|name| mac::Name::try_from(*name).ok()).collect(),
        compression: Cow::Borrowed(&[russh::compression::NONE]),
    }
}

/// Why russh gives up.
#[derive(Debug)]
pub(super) enum Why {
    /// Its own reason.
    Ssh(russh::Error),
    /// Ours, from one of the callbacks.
    Ours(Error),
}

impl From<russh::Error> for Why {
    fn from(e: russh::Error) -> Self {
        Self::Ssh(e)
    }
}

/// Our side of russh's callbacks.
pub(super) struct Door {
    keys: Arc<HostKeys>,
    host: Arc<Host>,
    asker: Asker,
    ended: Ended,
    now_s: i64,
}

impl client::Handler for Door {
    type Error = Why;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> std::result::Result<bool, Why> {
        if let Some(certificate) = shown.certificate()
            && certificate::check(certificate, &self.keys, &self.host, self.now_s).map_err(Why::Ours)?
        {
            return Ok(true);
        }
        // A certificate of nobody whom we know counts as the key inside it.
        let key = shown.public_key().to_bytes().map_err(|e| Why::Ssh(e.into()))?;
        let keys = self.keys.clone();
        match self.asker.ask(move |_| keys.check(&key)).await {
            Some(Ok(())) => Ok(true),
            Some(Err(error)) => Err(Why::Ours(error)),
            None => Ok(false),
        }
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> std::result::Result<(), Why> {
        for line in banner.lines().take(100) {
            self.asker.notice(&harmless(line.as_bytes(), 400));
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Why>) -> std::result::Result<(), Why> {
        let why = match &reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                format!("the server said goodbye: {}", harmless(info.message.as_bytes(), 200))
            }
            DisconnectReason::Error(Why::Ssh(russh::Error::KeepaliveTimeout)) => {
                "the server does not answer any more".to_owned()
            }
            DisconnectReason::Error(Why::Ssh(e)) => e.to_string(),
            DisconnectReason::Error(Why::Ours(e)) => e.to_string(),
        };
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        Ok(())
    }

    // We asked for no forwarding: whatever the server wants to open here is refused, which dropping `reply` does.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> std::result::Result<(), Why> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> std::result::Result<(), Why> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> std::result::Result<(), Why> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> std::result::Result<(), Why> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> std::result::Result<(), Why> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> std::result::Result<(), Why> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> std::result::Result<(), Why> {
        Ok(())
    }
}

/// The stdio of a `ProxyCommand`.
struct ProxyStream {
    reader: ChildStdout,
    writer: ChildStdin,
    _child: Child,
}

impl ProxyStream {
    fn start(command: &str, host: &Host, world: &World) -> Result<Self> {
        let failed = |e: &dyn ToString| unreachable(host, format!("ProxyCommand: {}", e.to_string()));
        // `exec`, as ssh does it, so that ending the shell ends the command.
        let mut child = Command::new("/bin/sh")
            .args(["-c", &format!("exec {command}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failed(&e))?;
        let (Some(reader), Some(writer), Some(stderr)) = (child.stdout.take(), child.stdin.take(), child.stderr.take())
        else {
            return Err(failed(&"no pipes"));
        };
        let prompt = world.prompt.clone();
        runtime()?.spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                prompt.notice(&harmless(line.as_bytes(), 400));
            }
        });
        Ok(Self { reader, writer, _child: child })
    }
}

impl AsyncRead for ProxyStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, to)
    }
}

impl AsyncWrite for ProxyStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::algorithms::{KEX, KEYS, MACS, cipher_order};

    #[test]
    fn every_name_that_we_offer_is_one_that_russh_has() {
        let offer = Offer { kex: KEX.to_vec(), ciphers: cipher_order(), macs: MACS.to_vec(), keys: KEYS.to_vec() };
        let all = preferred(&offer, true);
        assert_eq!(all.kex.len(), KEX.len() + 2);
        assert_eq!((all.cipher.len(), all.mac.len()), (cipher_order().len(), MACS.len()));
        assert_eq!(all.key.iter().map(Algorithm::as_str).collect::<Vec<_>>(), KEYS);
    }
}
