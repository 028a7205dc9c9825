// The history of a repository as far as it is loaded: by what is asked for, a page at a time, and read anew while things happen.

import { SvelteSet } from 'svelte/reactivity';

import { asFailure, type Backend } from '../backend';
import type { AuditEntry } from '../bindings/AuditEntry';
import type { Error as Failure } from '../bindings/Error';
import type { HistoryChoice } from '../bindings/HistoryChoice';
import type { RunRecord } from '../bindings/RunRecord';
import type { RunStatus } from '../bindings/RunStatus';
import type { Trigger } from '../bindings/Trigger';
import { roleMarks, type RoleMark } from '../words/audit';
import { actors, changedAnything, hasWords, merged, rowsOf, syncsOf, type Row, type Sync } from '../words/syncs';
import { Reading } from './reading.svelte';

/** So many runs the backend answers at most. */
const LOADED = 200;
/** So many rows more are shown at a time. */
export const PAGE = 50;
/** So long after the last key the backend is asked for what was typed, in milliseconds. */
const TYPED = 300;
/** So long after the beginning of a run the other runs of its sync have begun as well, in milliseconds. */
const TOGETHER = 60_000;

/** What is asked of the backend. */
export interface Asked {
  mirror: string | null;
  status: RunStatus | null;
  trigger: Trigger | null;
  text: string | null;
}

const ALL: Asked = { mirror: null, status: null, trigger: null, text: null };

export class History {
  asked = $state.raw<Asked>(ALL);
  /** What is typed; asked for as soon as nobody types. */
  #text = $state('');
  #typed: ReturnType<typeof setTimeout> | undefined;
  /** The words that what is loaded was asked for with. */
  #answered = $state<string | null>(null);
  /** Only what changed something, of what is loaded. */
  onlyChanged = $state(false);
  /** Only what began before this: where an old run was asked for. */
  until = $state<string | null>(null);
  runs = $state.raw<RunRecord[]>([]);
  /** Whether there are older ones. */
  more = $state(false);
  loadingOlder = $state(false);
  olderFailure = $state.raw<Failure | null>(null);
  /** The syncs that are unfolded, by id. */
  readonly open = new SvelteSet<string>();
  /** So many rows are shown. */
  limit = $state(PAGE);
  readonly first: Reading<RunRecord[]>;
  readonly trail: Reading<AuditEntry[]>;

  #all: Sync[] = $derived(syncsOf(this.runs));
  #marks: RoleMark[] = $derived.by(() => this.#tellsRoles().filter((mark) => this.#isOf(mark)));
  rows: Row[] = $derived(
    rowsOf(
      this.#all.filter((sync) => this.#hasWords(sync) && (!this.onlyChanged || changedAnything(sync))),
      this.#marks,
      this.more,
    ),
  );

  /** Who began what by hand. */
  actors = $derived.by(() => actors(this.trail.value ?? []));

  constructor(
    readonly backend: Backend,
    readonly repository: string,
  ) {
    this.first = new Reading(
      () => backend.history(this.#choice(this.until)),
      (read) => {
        const isAll = read.length < LOADED;
        // What was loaded for other words goes with the answer, and not before.
        const known = this.#answered === this.asked.text ? this.runs : [];
        this.#answered = this.asked.text;
        this.runs = merged(known, read, isAll);
        // Where older ones are loaded, what is known of the last of them stays.
        if (isAll || this.runs.length === read.length) this.more = !isAll;
      },
    );
    this.trail = new Reading(() => backend.audit(repository));
  }

  get text(): string {
    return this.#text;
  }

  set text(typed: string) {
    this.#text = typed;
    clearTimeout(this.#typed);
    this.#typed = setTimeout(() => void this.#askWords(), TYPED);
  }

  get #wanted(): string | null {
    return this.#text.trim() || null;
  }

  /** Whether anything but the newest of all is asked for. */
  get isNarrowed(): boolean {
    const { mirror, status, trigger } = this.asked;
    return (
      mirror !== null ||
      status !== null ||
      trigger !== null ||
      this.onlyChanged ||
      this.text.trim() !== '' ||
      !!this.until
    );
  }

  /** What is written into a file: all that the backend can tell apart. */
  get exported(): HistoryChoice {
    return { ...this.#choice(null), text: this.#wanted };
  }

  /** Something happened, or the page is shown. */
  refresh(): void {
    this.first.readSoon();
    this.trail.readSoon();
  }

  async retry(): Promise<void> {
    await Promise.all([this.first.read(), this.trail.read()]);
  }

  async choose(change: Partial<Asked>): Promise<void> {
    this.asked = { ...this.asked, text: this.#wanted, ...change };
    await this.#anew();
  }

  /** Asks for the newest of all again. */
  async clear(): Promise<void> {
    Object.assign(this, { asked: ALL, text: '', onlyChanged: false, until: null });
    await this.#anew();
  }

  /** Finds the sync of a run, also one that is not loaded, and unfolds it; answers its id, or null where it is gone. */
  async find(id: string): Promise<string | null> {
    const hidden = this.text.trim() !== '' || this.onlyChanged;
    let sync = this.#of(id);
    if (!sync || hidden) {
      // Where words were asked for, what is around it is not loaded.
      if (!sync || this.asked.text !== null) {
        const run = await this.backend.run(id);
        if (!run) return null;
        const until = new Date(Date.parse(run.started_iso) + TOGETHER).toISOString();
        Object.assign(this, { asked: ALL, until });
        await this.#anew();
        sync = this.#of(id);
      }
      Object.assign(this, { text: '', onlyChanged: false });
    }
    if (!sync) return null;
    const wanted = sync.id;
    const at = this.rows.findIndex((row) => row.kind === 'sync' && row.sync.id === wanted);
    this.limit = Math.max(this.limit, at + 1);
    this.open.add(wanted);
    return wanted;
  }

  /** Shows more rows, and loads what is missing for them. */
  async older(): Promise<void> {
    // Behind which run it goes on is known with the answer.
    if (this.#answered !== this.asked.text) return;
    this.limit += PAGE;
    if (this.rows.length >= this.limit || !this.more) return;
    const last = this.runs.at(-1);
    if (!last) return;
    this.loadingOlder = true;
    this.olderFailure = null;
    const { asked, until: before } = this;
    try {
      // Others may have begun in the very same moment.
      const until = new Date(Date.parse(last.started_iso) + 1).toISOString();
      const read = await this.backend.history(this.#choice(until));
      if (asked !== this.asked || before !== this.until) return;
      const known = new Set(this.runs.map(({ id }) => id));
      const older = read.filter(({ id }) => !known.has(id));
      this.runs = [...this.runs, ...older];
      this.more = read.length >= LOADED && older.length > 0;
    } catch (thrown) {
      this.limit -= PAGE;
      this.olderFailure = asFailure(thrown);
    } finally {
      this.loadingOlder = false;
    }
  }

  stop(): void {
    clearTimeout(this.#typed);
    this.first.stop();
    this.trail.stop();
  }

  async #askWords(): Promise<void> {
    const text = this.#wanted;
    if (text === this.asked.text) return;
    this.asked = { ...this.asked, text };
    this.limit = PAGE;
    this.olderFailure = null;
    await this.first.read();
  }

  /** Until the answer is there, what is loaded is looked through here. */
  #hasWords(sync: Sync): boolean {
    return this.#answered === this.#wanted || hasWords(sync, this.#text);
  }

  async #anew(): Promise<void> {
    this.limit = PAGE;
    this.olderFailure = null;
    this.runs = [];
    this.more = false;
    await this.first.read();
  }

  #of(run: string): Sync | undefined {
    return this.#all.find(({ runs }) => runs.some(({ id }) => id === run));
  }

  #choice(until_iso: string | null): HistoryChoice {
    return { repository: this.repository, ...this.asked, until_iso };
  }

  /** Between syncs that are picked out by how they went, a change of master says nothing. */
  #tellsRoles(): RoleMark[] {
    const { status, trigger } = this.asked;
    return status === null && trigger === null ? roleMarks(this.trail.value ?? []) : [];
  }

  #isOf({ at_iso, mirror, title, detail, error }: RoleMark): boolean {
    if (this.until && Date.parse(at_iso) > Date.parse(this.until)) return false;
    if (this.asked.mirror !== null && mirror !== null && mirror !== this.asked.mirror) return false;
    const said = `${title} ${detail} ${error}`.toLowerCase();
    return this.text
      .toLowerCase()
      .split(/\s+/)
      .every((word) => said.includes(word));
  }
}
