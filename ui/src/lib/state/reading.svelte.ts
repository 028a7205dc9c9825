// Something that is read from the backend again and again: what was read before stays in sight meanwhile.

import { asFailure } from '../backend';
import type { Error as Failure } from '../bindings/Error';

/** The time in which several wishes to read anew become one, in milliseconds. */
const REST = 300;

export class Reading<T> {
  /** What was read last; `null` before the first answer. */
  value = $state.raw<T | null>(null);
  /** Why the last try did not work. */
  failure = $state.raw<Failure | null>(null);
  busy = $state(false);
  #turn = 0;
  #soon: ReturnType<typeof setTimeout> | undefined;

  /** `take` is given each answer that counts. */
  constructor(
    readonly ask: () => Promise<T>,
    readonly take: (value: T) => void = () => {},
  ) {}

  /** Reads now. An answer that comes after that of a later question is dropped. */
  async read(): Promise<void> {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const turn = ++this.#turn;
    this.busy = true;
    try {
      const value = await this.ask();
      if (turn !== this.#turn) return;
      this.value = value;
      this.take(value);
      this.failure = null;
    } catch (thrown) {
      if (turn !== this.#turn) return;
      this.failure = asFailure(thrown);
    }
    this.busy = false;
  }

  /** Reads at once what was never read, and otherwise in a moment: what happens seldom happens alone. */
  readSoon(): void {
    if (this.value === null && this.failure === null) void this.read();
    else this.#soon ??= setTimeout(() => void this.read(), REST);
  }

  stop(): void {
    clearTimeout(this.#soon);
    this.#turn += 1;
  }
}
