// Light or dark: as the system says, or as the person set it. Remembered where that is possible.
// `public/appearance.js` does the same before the first paint; both read the same place.

export const THEMES = ['system', 'light', 'dark'] as const;
export type ThemeName = (typeof THEMES)[number];

const PLACE = 'standin.theme';

function remembered(): string | null {
  try {
    return localStorage.getItem(PLACE);
  } catch {
    return null;
  }
}

export class Theme {
  #name = $state<ThemeName>('system');

  constructor() {
    const before = remembered();
    this.#take(THEMES.find((name) => name === before) ?? 'system');
  }

  get name(): ThemeName {
    return this.#name;
  }

  set(name: ThemeName): void {
    this.#take(name);
    try {
      localStorage.setItem(PLACE, name);
    } catch {
      // It holds for as long as the window is open.
    }
  }

  #take(name: ThemeName): void {
    this.#name = name;
    if (name === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = name;
  }
}
