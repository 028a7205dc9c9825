// What is looked for in a page of the gallery. These functions run in the browser, so each stands by itself.

import type { AxeResults, RunOptions } from 'axe-core';

/** What is wider than its box, cut off, or out of sight; where the title takes too much; where the content has too little. */
export function misfits(): string[] {
  // What turns is wider for a moment.
  for (const animation of document.getAnimations()) animation.cancel();

  const found: string[] = [];
  const edge = window.innerWidth + 1;

  function call(element: Element): string {
    const { id, className } = element;
    const named = id
      ? `#${id}`
      : String(className)
          .split(' ')
          .find((name) => name && !name.startsWith('svelte-'));
    const words = element.textContent?.trim().replace(/\s+/g, ' ').slice(0, 40);
    return `<${element.localName}${named ? ` ${named}` : ''}> "${words}"`;
  }

  const scrolls = (element: Element): boolean => /auto|scroll/.test(getComputedStyle(element).overflowX);
  /** Code and tables may be wider than a page, and are scrolled in their own box. */
  const mayScroll = (element: Element): boolean => element.matches('pre, .frame');

  if (document.documentElement.scrollWidth > window.innerWidth) {
    found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  }

  for (const element of document.body.querySelectorAll<HTMLElement>('*')) {
    if (element.closest('svg, .visually-hidden, option') || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const { left, right, width } = element.getBoundingClientRect();
    const aside = element.parentElement?.closest('pre, .frame');
    if (width > 0 && (right > edge || left < -1) && !(aside && scrolls(aside))) {
      found.push(`${call(element)} is out of sight: from ${Math.round(left)} to ${Math.round(right)} px`);
    }
    if (style.display === 'inline' || style.display === 'contents' || element.localName === 'progress') continue;
    const over = element.scrollWidth - element.clientWidth;
    if (over <= 1 || element.matches('input, select')) continue;
    if (style.overflowX === 'visible') found.push(`${call(element)} has content that is ${over} px too wide for it`);
    else if (scrolls(element)) {
      if (!mayScroll(element)) found.push(`${call(element)} has to be scrolled sideways by ${over} px`);
    } else if (style.textOverflow !== 'ellipsis') found.push(`${call(element)} cuts off ${over} px`);
    else if (!element.closest('[title]')) found.push(`${call(element)} is cut off, and no title says the rest`);
  }

  const titles = [...document.querySelectorAll('h1')].filter((title) => title.checkVisibility());
  if (titles.length !== 1) found.push(`there are ${titles.length} first headings`);
  for (const title of titles) {
    const line = parseFloat(getComputedStyle(title).lineHeight);
    const lines = Math.round(title.getBoundingClientRect().height / line);
    if (lines > 3) found.push(`${call(title)} has ${lines} lines`);
  }

  const content = document.querySelector('[role="tabpanel"], main section');
  let scroller: Element | null = content;
  while (scroller && !/auto|scroll/.test(getComputedStyle(scroller).overflowY)) scroller = scroller.parentElement;
  const height = scroller ? scroller.clientHeight : document.documentElement.clientHeight;
  if (height < window.innerHeight / 2) found.push(`the content has ${height} of ${window.innerHeight} px`);
  return found;
}

/** What axe finds, of every impact; or what it finds about colours alone. */
export async function barriers(colours: boolean): Promise<string[]> {
  const { axe } = window as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } };
  const { violations } = await axe.run({
    resultTypes: ['violations'],
    ...(colours ? { runOnly: ['color-contrast'] } : { rules: { 'label-content-name-mismatch': { enabled: true } } }),
  });
  return violations.flatMap(({ id, impact, nodes }) =>
    nodes.map(({ target, failureSummary }) => {
      const why = failureSummary?.split('\n').slice(1, 2).join('').trim().slice(0, 160);
      return `${id} (${impact}) at ${target.join(' ')}: ${why}`;
    }),
  );
}
