import '@testing-library/jest-dom/vitest';

// jsdom knows the dialog element, but cannot open it.
HTMLDialogElement.prototype.showModal ??= function showModal(this: HTMLDialogElement) {
  this.open = true;
};
HTMLDialogElement.prototype.close ??= function close(this: HTMLDialogElement) {
  this.open = false;
};

// axe asks for a canvas to see ligatures; there is none.
HTMLCanvasElement.prototype.getContext = () => null;
