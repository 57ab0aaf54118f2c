// The control socket: says what was done, hears what has changed, comes back when it was lost.

const UNPAIRED = 4401;

export class Link extends EventTarget {
  constructor() {
    super();
    this.you = "";
    this.role = "";
    this.open = false;
    this._pause = 300;
    this._values = new Map();
    this._sending = 0;
  }

  start() {
    this._socket = new WebSocket(`ws://${location.host}/control`);
    this._socket.onopen = () => { this._pause = 300; };
    this._socket.onmessage = (event) => this._hear(JSON.parse(event.data));
    this._socket.onclose = (event) => this._closed(event.code);
  }

  // A value; of many within one drawn frame the last one goes out.
  set(address, value) {
    this._values.set(address, value);
    if (!this._sending) this._sending = requestAnimationFrame(() => this._flush());
  }

  do(what, more = {}) {
    this._flush();
    this._send({ t: "do", what, ...more });
  }

  _flush() {
    cancelAnimationFrame(this._sending);
    this._sending = 0;
    for (const [a, v] of this._values) this._send({ t: "set", a, v });
    this._values.clear();
  }

  _send(message) {
    if (this._socket?.readyState === WebSocket.OPEN) this._socket.send(JSON.stringify(message));
    else this._tell("error", { text: "", lost: true });
  }

  _hear(message) {
    if (message.t === "hello") {
      this.you = message.you;
      this.role = message.role;
      this.open = true;
    }
    this._tell(message.t, message);
  }

  _closed(code) {
    const was = this.open;
    this.open = false;
    if (code === UNPAIRED) return this._tell("unpaired", {});
    if (was) this._tell("lost", {});
    setTimeout(() => this.start(), this._pause);
    this._pause = Math.min(this._pause * 1.6, 3000);
  }

  _tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  on(kind, heard) {
    this.addEventListener(kind, (event) => heard(event.detail));
  }
}
