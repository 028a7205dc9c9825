// What is said about newer versions of the program, and about what it shows on the desktop.

import type { Channel } from '../bindings/Channel';
import type { NotifyEvent } from '../bindings/NotifyEvent';
import type { Offer } from '../bindings/Offer';
import type { Updates } from '../bindings/Updates';
import { bytes } from './time';

export const CHANNELS: readonly Channel[] = ['stable', 'beta'];

export const channelWord: Record<Channel, string> = { stable: 'Stable', beta: 'Beta' };

/** Each kind of word, as the box beside it says it, what is urgent first. */
export const shownWord: Record<NotifyEvent, string> = {
  master_down: 'A master is down',
  master_back: 'A master is back',
  promoted: 'A standby became master',
  waits: 'A decision waits',
  failed: 'Syncs fail again and again',
  stale: 'A mirror was not looked at for long',
  token_ends: 'A token ends soon',
  sentinel_asleep: 'A sentinel does not watch',
  mended: 'Something is well again',
};

export const SHOWN = Object.keys(shownWord) as NotifyEvent[];

/** The kinds that are shown once one is switched, in their order. */
export function turned(shown: readonly NotifyEvent[], event: NotifyEvent, on: boolean): NotifyEvent[] {
  return SHOWN.filter((one) => (one === event ? on : shown.includes(one)));
}

/** Who brings newer versions, and the command for it where there is one; nothing where the program does it itself. */
export function broughtBy({ owner, advice }: Updates): { words: string; command: string } | null {
  if (owner.owner === 'package_manager') {
    return {
      words: `${owner.manager} looks after this program and brings its newer versions.`,
      command: owner.command,
    };
  }
  return advice === null ? null : { words: advice, command: '' };
}

export function offerWords(offer: Offer): string {
  return `Standin ${offer.version} is there`;
}

/** What happens while it is taken. */
export function takingWords(offer: Offer): string {
  return `Bringing ${bytes(offer.file.size)}. This version stays until all of it is here and is what its publisher signed.`;
}
