// One WebSocket to our own origin that comes back by itself.

const FIRST_WAIT = 250;
const LONGEST_WAIT = 15_000;
const STABLE = 3000;
const PING_EVERY = 20_000;
const PONG_WITHIN = 8_000;

export class Socket {
  /** `on`: {open(), frame(object), closed({wait})}. */
  constructor(on) {
    this.on = on;
    this.socket = null;
    this.wait = FIRST_WAIT;
    this.retry = 0;
    this.lastHeard = 0;
    this.openedAt = 0;
    this.isOpen = false;
    window.addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.check();
    });
    setInterval(() => this.check(), PING_EVERY);
    this.connect();
  }

  /** Send a frame; false when there is no connection. */
  send(frame) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** Do not wait any longer before the next try. */
  now() {
    if (this.isOpen) this.check();
    else if (this.socket === null) this.connect();
  }

  connect() {
    clearTimeout(this.retry);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/web/socket`);
    this.socket = socket;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.isOpen = true;
      this.openedAt = this.lastHeard = performance.now();
      this.on.open();
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      this.lastHeard = performance.now();
      this.on.frame(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  lost() {
    // One that breaks as soon as it is open is no success.
    if (this.isOpen && performance.now() - this.openedAt > STABLE) this.wait = FIRST_WAIT;
    this.isOpen = false;
    this.socket = null;
    // Spread, so that many pages do not come back in the same instant.
    const wait = this.wait * (0.7 + 0.6 * Math.random());
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    this.retry = setTimeout(() => this.connect(), wait);
    this.on.closed({ wait });
  }

  /** A machine that slept has a socket that looks open: ask, and give it up when nothing comes. */
  check() {
    const { socket } = this;
    if (!this.isOpen) {
      if (socket === null) this.connect();
      return;
    }
    const asked = performance.now();
    this.send({ t: "ping" });
    setTimeout(() => {
      if (this.socket !== socket || this.lastHeard >= asked) return;
      socket.onclose = null;
      socket.close();
      this.lost();
    }, PONG_WITHIN);
  }
}
