// A change of the configuration on its way: drawn up, shown, written. What was refused is drawn up anew, below what was said.

import { asFailure, type Backend } from '../backend';
import type { Draft } from '../bindings/Draft';
import type { Error as Failure } from '../bindings/Error';
import type { MirrorRequest } from '../bindings/MirrorRequest';

export class Drafting {
  draft = $state.raw<Draft | null>(null);
  failure = $state.raw<Failure | null>(null);
  work = $state<'draft' | 'writing' | null>(null);
  #request: MirrorRequest | null = null;
  #asked = 0;

  constructor(private readonly backend: Backend) {}

  /** Whether there is something that can be written. */
  get isReady(): boolean {
    return this.draft !== null && this.draft.difference !== '' && this.work === null;
  }

  async draw(request: MirrorRequest): Promise<void> {
    this.#request = request;
    const mine = (this.#asked += 1);
    [this.draft, this.failure, this.work] = [null, null, 'draft'];
    try {
      const draft = await this.backend.mirrorDraft(request);
      if (mine === this.#asked) this.draft = draft;
    } catch (thrown) {
      if (mine === this.#asked) this.failure = asFailure(thrown);
    }
    if (mine === this.#asked) this.work = null;
  }

  /** Once more, as it was asked for. */
  async again(): Promise<void> {
    if (this.#request) await this.draw(this.#request);
  }

  /** Takes back what was drawn up. */
  drop(): void {
    this.#asked += 1;
    [this.draft, this.failure, this.work] = [null, null, null];
  }

  /** Writes what is shown; says whether that worked. */
  async write(how: (draft: Draft) => Promise<unknown> = (draft) => this.backend.mirrorWrite(draft)): Promise<boolean> {
    const { draft } = this;
    if (!draft || this.work !== null) return false;
    [this.failure, this.work] = [null, 'writing'];
    try {
      await how(draft);
      this.work = null;
      return true;
    } catch (thrown) {
      const said = asFailure(thrown);
      await this.again();
      this.failure = said;
      return false;
    }
  }
}
