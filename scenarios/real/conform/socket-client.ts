import type { Socket } from 'node:net';

/** One client of the daemon's unix socket. */
export class SocketClient {
  readonly #socket: Socket;
  #chunks: Uint8Array[] = [];
  #isOpen = true;

  /** `onArrival` is called whenever octets, or the end, have come. */
  constructor(socket: Socket, onArrival: () => void) {
    this.#socket = socket;
    socket.on('data', (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      onArrival();
    });
    const end = () => {
      this.#end();
      onArrival();
    };
    socket.on('error', end); // the daemon closed it with octets unread; 'close' would come a turn later
    socket.on('end', end);
  }

  #end(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  /** False once the daemon has closed it, and everything that came before has been received. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Octets that the kernel has not taken yet. */
  get unsent(): number {
    return this.#isOpen ? this.#socket.writableLength : 0;
  }

  send(octets: Uint8Array): void {
    if (this.#isOpen && octets.length > 0) this.#socket.write(octets);
  }

  /** All that came since the last call. */
  take(): readonly Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  hold(): void {
    this.#socket.pause();
  }

  free(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#end();
  }
}

/** Resolves when the other side has a place for it. Errors: nobody listens. */
export function isConnected(socket: Socket): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
}
