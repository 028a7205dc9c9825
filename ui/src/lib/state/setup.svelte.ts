// What the wizard knows: the answers, what was found, and what was typed so far, by name alone. Tokens and values go through to
// the backend at once and are never kept here.

import { asFailure, type Backend } from '../backend';
import type { Aspect } from '../bindings/Aspect';
import type { Draft } from '../bindings/Draft';
import type { Error as Failure } from '../bindings/Error';
import type { FoundSource } from '../bindings/FoundSource';
import type { Keep } from '../bindings/Keep';
import type { MirrorLook } from '../bindings/MirrorLook';
import type { MirrorRequest } from '../bindings/MirrorRequest';
import type { SetUp } from '../bindings/SetUp';
import type { SourceLook } from '../bindings/SourceLook';
import type { TypedPlace } from '../bindings/TypedPlace';
import { ASPECTS } from '../words/words';
import {
  hostOf,
  isUsable,
  nameOf,
  ownerOf,
  requestOf,
  settingsOf,
  stepFrom,
  type Answers,
  type SetupKind,
  type Step,
} from './setup_request';

/** What goes on and cannot be hurried. */
type Work = 'source' | 'mirror' | 'draft' | 'writing' | 'keeping';

export class Setup {
  step = $state<Step>('what');
  kind = $state<SetupKind>('github');
  /** The repository that is configured already; null where the source makes it. */
  repository = $state<string | null>(null);
  source = $state('');
  clone = $state<string | null>(null);
  /** What stands in the field for a source that was not found, also while a found one is chosen. */
  pasted = $state('');
  repo = $state('');
  url = $state('');
  key = $state('');
  path = $state('');
  interval = $state('');
  sync = $state<Aspect[]>([...ASPECTS]);
  create = $state(true);
  keep = $state<Keep>('keychain');

  found = $state.raw<FoundSource[] | null>(null);
  sourceLook = $state.raw<SourceLook | null>(null);
  mirrorLook = $state.raw<MirrorLook | null>(null);
  /** The account of the mirror's token, as soon as that is known. */
  login = $state<string | null>(null);
  draft = $state.raw<Draft | null>(null);
  done = $state.raw<SetUp | null>(null);
  /** What is written and could not be kept beside it. */
  troubles = $state.raw<Failure[]>([]);
  /** What the last command was refused with. */
  failure = $state.raw<Failure | null>(null);
  #goesOn = $state<Work[]>([]);

  /** Which tokens the backend holds in memory, and the names of the values. */
  typed = $state<Record<TypedPlace, boolean>>({ source: false, mirror: false });
  values = $state<string[]>([]);

  #sourceOfLook = $state('');
  #placeOfLook = $state('');
  /** The host that each typed token was used for; empty before that. */
  #hosts: Record<TypedPlace, string> = { source: '', mirror: '' };
  /** The latest question of each work; an older answer is none. */
  #asked: Record<Work, number> = { source: 0, mirror: 0, draft: 0, writing: 0, keeping: 0 };

  readonly #fresh: Promise<void>;

  constructor(
    private readonly backend: Backend,
    /** The repository that a mirror is added to; null where it is still to be found. */
    readonly given: string | null,
    /** Where the words of a known repository's source are, before it was looked at. */
    private readonly master = '',
  ) {
    this.repository = given;
    // What an earlier page could not forget any more, as when its window was closed, is no part of this one.
    this.#fresh = backend.setupForget().catch(() => {});
  }

  get answers(): Answers {
    const { kind, repository, source, clone, repo, url, key, path, interval, sync } = this;
    return { kind, repository, source, clone, repo, url, key, path, interval, sync };
  }

  /** The source in words, whoever named it. */
  get sourceWords(): string {
    return this.source || this.sourceLook?.source || this.master;
  }

  get isGitHub(): boolean {
    return this.sourceLook?.is_github ?? true;
  }

  get request(): MirrorRequest {
    return requestOf(this.answers, settingsOf(this.answers, this.isGitHub));
  }

  get #sourceKey(): string {
    return JSON.stringify([this.repository, this.source.trim(), this.clone]);
  }

  /** What a look at the place depends on. */
  get #placeKey(): string {
    const { kind, repo, url, key, path } = this;
    return JSON.stringify([this.#sourceKey, kind, repo.trim(), url.trim(), key.trim(), path.trim()]);
  }

  get isSourceLooked(): boolean {
    return this.sourceLook !== null && this.#sourceOfLook === this.#sourceKey;
  }

  get isPlaceLooked(): boolean {
    return this.mirrorLook !== null && this.#placeOfLook === this.#placeKey;
  }

  /** Whether what was found at the place lets one go on. */
  get isPlaceUsable(): boolean {
    return this.isPlaceLooked && this.mirrorLook !== null && isUsable(this.kind, this.mirrorLook, this.create);
  }

  /** Whether something is named that can be looked at. */
  get isNamed(): boolean {
    switch (this.step) {
      case 'source':
        return this.repository !== null || this.source.trim() !== '';
      case 'where':
        if (this.kind === 'github') return this.repo.trim() !== '';
        return this.kind === 'pull' || this.url.trim() !== '';
      case 'keep':
        return this.kind !== 'github' || this.sync.length > 0;
      default:
        return true;
    }
  }

  get hasTyped(): boolean {
    return this.typed.source || this.typed.mirror || this.values.length > 0;
  }

  /** Whether leaving would lose something. What is written is not lost. */
  get wouldLose(): boolean {
    if (this.done) return this.troubles.length > 0 && this.hasTyped;
    const { pasted, source, repo, url, key, path, interval } = this;
    return this.hasTyped || [pasted, source, repo, url, key, path, interval].some((text) => text.trim() !== '');
  }

  /** Where the mirror is, once it is set up. */
  get made(): { repository: string; mirror: string | null } | null {
    return this.done && { repository: this.done.repository, mirror: this.done.mirror };
  }

  /** What has to be waited for. A look at a source that is known goes on beside the other steps. */
  get work(): Work | null {
    return this.#goesOn.find((work) => work !== 'source' || this.step === 'source') ?? null;
  }

  get isLookingAtSource(): boolean {
    return this.#goesOn.includes('source');
  }

  async #at<T>(work: Work, ask: () => Promise<T>): Promise<T | null> {
    const mine = (this.#asked[work] += 1);
    const isLatest = () => mine === this.#asked[work];
    if (!this.#goesOn.includes(work)) this.#goesOn.push(work);
    this.failure = null;
    try {
      await this.#fresh;
      const answer = await ask();
      return isLatest() ? answer : null;
    } catch (thrown) {
      if (isLatest()) this.failure = asFailure(thrown);
      return null;
    } finally {
      if (isLatest()) this.#goesOn = this.#goesOn.filter((one) => one !== work);
    }
  }

  /** Finds the clones on this machine, once. */
  async find(): Promise<void> {
    if (this.found) return;
    try {
      this.found = await this.backend.foundSources();
    } catch {
      // The other ways to name a source are there.
      this.found = [];
    }
  }

  /** Takes a clone that was found. */
  choose(found: FoundSource): void {
    this.source = found.source;
    this.clone = found.folder;
    this.repository = found.repository;
  }

  /** Takes what was typed. */
  paste(text: string): void {
    this.pasted = text;
    this.source = text;
    this.clone = null;
    this.repository = this.given;
  }

  /** Asks for a folder and takes the clone in it. */
  async browse(): Promise<void> {
    this.failure = null;
    try {
      const chosen = await this.backend.chooseSource();
      if (!chosen) return;
      const others = (this.found ?? []).filter(({ folder }) => folder !== chosen.folder);
      this.found = [chosen, ...others];
      this.choose(chosen);
    } catch (thrown) {
      this.failure = asFailure(thrown);
    }
  }

  async become(kind: SetupKind): Promise<void> {
    if (kind === this.kind) return;
    this.kind = kind;
    this.mirrorLook = null;
    this.draft = null;
    // A token was typed for one host, and goes to no other.
    if (this.typed.mirror) await this.forget('mirror');
  }

  /** Hands a token on; the caller has emptied its field already. */
  async give(place: TypedPlace, token: string): Promise<void> {
    // Without a repository named yet, the page for a token that is shown is that of github.com.
    this.#hosts[place] = place === 'mirror' && this.kind === 'github' && !this.isNamed ? 'github.com' : '';
    try {
      await this.#fresh;
      await this.backend.setupToken(place, token.trim());
      this.typed[place] = true;
    } catch (thrown) {
      this.failure = asFailure(thrown);
      return;
    }
    if (place === 'source') await this.lookAtSource();
    else if (this.isNamed) await this.lookAtPlace();
    else await this.askWhoseToken();
  }

  async forget(place: TypedPlace): Promise<void> {
    try {
      await this.backend.setupToken(place, null);
      this.typed[place] = false;
    } catch (thrown) {
      this.failure = asFailure(thrown);
      return;
    }
    if (place === 'source') this.sourceLook = null;
    else [this.mirrorLook, this.login] = [null, null];
  }

  async value(name: string, value: string | null): Promise<void> {
    this.failure = null;
    try {
      await this.#fresh;
      this.values = await this.backend.setupValue(name, value);
    } catch (thrown) {
      this.failure = asFailure(thrown);
    }
  }

  async lookAtSource(): Promise<void> {
    const key = this.#sourceKey;
    await this.#keepToHost('source', hostOf(this.source));
    if (this.#sourceOfLook !== '' && this.#sourceOfLook !== key) await this.#changeSource();
    const look = await this.#at('source', () => this.backend.setupSource(requestOf(this.answers, [])));
    if (!look) return;
    this.sourceLook = look;
    this.#sourceOfLook = key;
  }

  /** Values belong to the source that was, and go to no other. */
  async #changeSource(): Promise<void> {
    for (const name of this.values) await this.value(name, null);
    this.mirrorLook = null;
  }

  async lookAtPlace(): Promise<void> {
    const key = this.#placeKey;
    await this.#keepToHost('mirror', hostOf(this.kind === 'github' ? this.repo : this.url));
    const look = await this.#at('mirror', () => this.backend.setupMirror(this.request));
    if (!look) return;
    this.mirrorLook = look;
    this.#placeOfLook = key;
    if (look.login) this.login = look.login;
  }

  /** A token that was typed for one host is sent to no other. */
  async #keepToHost(place: TypedPlace, host: string): Promise<void> {
    const before = this.#hosts[place];
    if (this.typed[place] && before !== '' && before !== host) await this.forget(place);
    this.#hosts[place] = host;
  }

  /** Whose token it is, so that a name can be proposed: the host tells it with whatever is asked about. */
  async askWhoseToken(): Promise<void> {
    if (this.kind !== 'github') return;
    const source = this.sourceWords;
    // Only what was named gets a token: where the source is at another host, the repository is to be named first.
    if (!['', 'github.com'].includes(hostOf(source))) return;
    const name = nameOf(source);
    const anything = { ...this.answers, repo: `${ownerOf(source) || name}/${name}-standby` };
    this.#hosts.mirror = hostOf(anything.repo);
    const look = await this.#at('mirror', () =>
      this.backend.setupMirror(requestOf(anything, settingsOf(anything, this.isGitHub))),
    );
    if (!look) return;
    this.login = look.login;
    if (!look.login) this.failure = look.error;
    else if (this.repo.trim() === '') this.repo = `${look.login}/${name}`;
  }

  async trust(): Promise<void> {
    const key = this.mirrorLook?.host_key;
    if (!key) return;
    await this.#at('mirror', () => this.backend.hostKeyAccept(key));
    if (!this.failure) await this.lookAtPlace();
  }

  async draw(): Promise<void> {
    this.draft = null;
    this.draft = await this.#at('draft', () => this.backend.mirrorDraft(this.request));
  }

  /** Looks where nothing was looked at, else goes to the next step. `anyway` goes on with a place that cannot be seen. */
  async next(anyway = false): Promise<void> {
    if (this.work !== null || !this.isNamed) return;
    this.failure = null;
    switch (this.step) {
      case 'what':
        this.#go(1);
        // Known already: it is looked at while somebody says where.
        if (this.given !== null && !this.isSourceLooked) void this.lookAtSource();
        break;
      case 'source':
        if (!this.isSourceLooked || this.sourceLook?.error) await this.lookAtSource();
        else this.#go(1);
        break;
      case 'where':
        if (anyway || this.isPlaceUsable) this.#go(1);
        else await this.lookAtPlace();
        break;
      case 'keep':
      case 'sentinel':
        this.#go(1);
        break;
      case 'review':
        await this.write();
        break;
      case 'sync':
        break;
    }
  }

  back(): void {
    this.failure = null;
    this.#go(-1);
  }

  /** To a step that was passed already. */
  goTo(step: Step): void {
    this.failure = null;
    this.step = step;
  }

  #go(by: 1 | -1): void {
    this.step = stepFrom(this.answers, this.step, by);
    if (this.step === 'review') void this.draw();
    if (this.step === 'source') void this.find();
  }

  /** Whether the repository is made there by the last button. */
  get makes(): boolean {
    return this.kind === 'github' && this.create && this.mirrorLook?.state === 'absent';
  }

  async write(): Promise<void> {
    const { draft } = this;
    if (!draft) return;
    const done = await this.#at('writing', () => this.backend.setUp(draft, this.makes, this.keep));
    if (!done) {
      // Nothing is written. The file may have changed meanwhile: what would be written is shown anew, below what was said.
      const said = this.failure;
      await this.draw();
      this.failure = said;
      return;
    }
    this.done = done;
    this.#kept(done.troubles);
  }

  async keepAgain(keep: Keep): Promise<void> {
    const { draft } = this;
    if (!draft) return;
    this.keep = keep;
    const troubles = await this.#at('keeping', () => this.backend.setupKeep(draft, keep));
    if (troubles) this.#kept(troubles);
  }

  #kept(troubles: Failure[]): void {
    this.troubles = troubles;
    if (troubles.length > 0) return;
    this.typed = { source: false, mirror: false };
    this.values = [];
    this.step = 'sync';
  }

  /** Goes on without what could not be kept. */
  async leaveOut(): Promise<void> {
    await this.leave();
    this.troubles = [];
    this.step = 'sync';
  }

  /** Leaves nothing behind. */
  async leave(): Promise<void> {
    for (const work of Object.keys(this.#asked) as Work[]) this.#asked[work] += 1;
    this.#goesOn = [];
    this.typed = { source: false, mirror: false };
    this.values = [];
    try {
      await this.backend.setupForget();
    } catch {
      // The program forgets it when it quits.
    }
  }
}
