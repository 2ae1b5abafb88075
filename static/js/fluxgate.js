/* Fluxgate: everything here adds to pages that work without it.
   1 words and times · 2 live · 3 theme · 4 keys · 5 tables · 6 small helpers */
(function () {
  'use strict';

  const $ = (selector, root) => (root || document).querySelector(selector);
  const $$ = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const words = ($('#fg-words') || {dataset: {}}).dataset;
  const csrf = ($('meta[name="csrf-token"]') || {}).content || '';

  const store = {
    get(key) { try { return localStorage.getItem(key); } catch (error) { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch (error) { /* private mode */ } }
  };

  const fill = (text, values) =>
    (text || '').replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));

  // Writing only what differs keeps screen readers and the layout quiet.
  const setText = (element, text) => {
    if (element && element.textContent !== text) element.textContent = text;
  };

  /* 1 Times: the words of the look tag `ago`, kept fresh ------------------------------------ */

  function duration(seconds) {
    seconds = Math.max(0, Math.floor(seconds));
    if (seconds < 60) return fill(words.s, {n: seconds});
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return fill(words.min, {n: minutes});
    const hours = Math.floor(minutes / 60);
    return minutes % 60 ? fill(words.hMin, {h: hours, m: minutes % 60}) : fill(words.h, {h: hours});
  }

  function refreshTimes(root) {
    const now = Date.now();
    $$('time[data-ago]', root).forEach((element) => {
      const age = (now - Date.parse(element.dateTime)) / 1000;
      if (Number.isNaN(age) || Math.abs(age) >= 48 * 3600) return;
      const long = duration(Math.abs(age));
      const text = element.dataset.ago === 'bare' ? long
        : fill(age < -1 ? words.in : words.ago, {time: long});
      setText(element, text);
    });
  }

  /* 2 Live ---------------------------------------------------------------------------------- */

  const POLL = 10000;
  const CATCH_UP = 60000;   // what a page shows also ages; most of these answers are 304
  const NAP = 30000;        // a hidden tab gives its connection back: browsers have six for a host
  const PATIENCE = 4000;    // a stream that reopens at once is no news
  const live = {mode: '', seen: Date.now(), source: null, timers: new Map(), etags: new Map(),
    waiting: new Set(), missed: new Set(), poll: 0, lost: 0, nap: 0, paused: false};

  const liveElements = () => $$('[data-live]').filter((element) => element.id);
  const scopesOf = (element) => element.dataset.live.split(' ').filter(Boolean);

  function show(mode) {
    const pill = $('#fg-pill');
    if (!pill) return;
    const tone = {live: '', polling: ' fg-live--busy', paused: ' fg-live--held', lost: ' fg-live--bad'};
    pill.hidden = false;
    pill.className = 'fg-live' + tone[mode];
    const age = fill(words.ago, {time: duration((Date.now() - live.seen) / 1000)});
    const name = mode[0].toUpperCase() + mode.slice(1);
    setText(pill.lastElementChild, fill(words['is' + name], {time: age}));
    pill.title = live.paused ? words.resume : words.pause;
    pill.setAttribute('aria-pressed', String(live.paused));
    if (mode === live.mode) return;
    // The first "Live" is what everybody expects: say only what differs from it.
    if (live.mode || mode !== 'live') {
      setText($('#fg-say'), words['say' + name] || '');
    }
    live.mode = mode;
  }

  function heard() {
    live.seen = Date.now();
    clearTimeout(live.lost);
    live.lost = 0;
  }

  function listen() {
    const url = ($('#fg-stream') || {dataset: {}}).dataset.url;
    if (!url || live.paused || live.source) return;
    if (!window.EventSource) { startPolling(); return; }
    const source = live.source = new EventSource(url);
    source.onopen = () => { heard(); stopPolling(); show('live'); };
    source.onmessage = (event) => {
      heard();
      let tick;
      try { tick = JSON.parse(event.data); } catch (error) { return; }
      liveElements().forEach((element) => {
        if (scopesOf(element).includes(tick.scope)) soon(element, tick.scope.includes(':') ? 300 : 3000);
      });
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        // Refused, not interrupted: the token or the sign-in is old. Polling says which.
        source.close();
        if (live.source === source) live.source = null;
        startPolling();
      } else if (!live.lost) {
        live.lost = setTimeout(startPolling, PATIENCE);
      }
    };
  }

  function hangUp() {
    if (live.source) live.source.close();
    live.source = null;
  }

  function startPolling() {
    live.lost = 0;
    if (live.poll || live.paused) return;
    let round = 0;
    live.poll = setInterval(() => {
      refreshAll();
      round += 1;
      if (!live.source && !document.hidden && round % 3 === 0) listen();
    }, POLL);
    refreshAll();
  }

  function stopPolling() {
    clearInterval(live.poll);
    live.poll = 0;
  }

  const refreshAll = () => liveElements().forEach((element) => soon(element, 300));

  // Ticks that come together are one request; the jitter spreads many open pages.
  function soon(element, jitter) {
    if (live.paused) return;
    if (document.hidden) { live.missed.add(element.id); return; }
    if (live.timers.has(element.id)) return;
    const id = element.id;
    live.timers.set(id, setTimeout(() => { live.timers.delete(id); refresh(id); }, Math.random() * jitter));
  }

  async function refresh(id) {
    const element = document.getElementById(id);
    if (!element || live.paused) return;
    if (busy(element)) { live.waiting.add(id); return; }
    const headers = {'HX-Request': 'true', 'HX-Target': id, 'HX-Current-URL': location.href};
    if (live.etags.has(id)) headers['If-None-Match'] = live.etags.get(id);
    let answer;
    try {
      answer = await fetch(location.pathname + location.search,
        {headers, cache: 'no-store', credentials: 'same-origin'});
    } catch (error) {
      show('lost');
      return;
    }
    if (answer.redirected || answer.status >= 500 || answer.status === 403) { show('lost'); return; }
    live.seen = Date.now();
    if (live.poll) show('polling');
    else if (live.source) show('live');
    if (answer.status === 404) { location.reload(); return; }
    if (answer.status !== 200) return;
    const html = await answer.text();
    if (/^\s*<!doctype/i.test(html)) return; // not a part of this page
    const current = document.getElementById(id);
    if (!current) return;
    if (busy(current)) { live.waiting.add(id); return; }
    if (swap(current, html) && answer.headers.get('ETag')) live.etags.set(id, answer.headers.get('ETag'));
  }

  // Somebody types here, has an open menu or chose text: wait until they are done.
  function busy(element) {
    const active = document.activeElement;
    if (element.contains(active) && active.matches('input, textarea, select, [contenteditable]')) {
      if (active.type === 'checkbox' || active.type === 'radio') return false;
      return active.matches('select') || active.value !== active.defaultValue;
    }
    if ($$('input, textarea', element).some((field) =>
      field.type !== 'checkbox' && field.type !== 'radio' && field.type !== 'hidden' && field.value !== field.defaultValue)) return true;
    if ($('dialog[open], .fg-menu[open]', element)) return true;
    const selection = getSelection();
    return Boolean(selection && !selection.isCollapsed && element.contains(selection.anchorNode));
  }

  const keyOf = (element) => element.id ? '#' + CSS.escape(element.id)
    : element.name ? `[name="${CSS.escape(element.name)}"][value="${CSS.escape(element.value || '')}"]`
      : element.getAttribute('href') ? `a[href="${CSS.escape(element.getAttribute('href'))}"]` : '';

  // Where an element without a key of its own stands, to find its twin after a swap.
  function placeOf(element, root) {
    const place = [];
    for (let at = element; at && at !== root; at = at.parentElement) {
      place.unshift(Array.prototype.indexOf.call(at.parentElement.children, at));
    }
    return place;
  }

  function twin(key, place, tag, root) {
    const found = place.reduce((at, index) => at && at.children[index], root);
    if (found && key && found.matches(key)) return found;
    return (key && $(key, root)) || (found && found.tagName === tag ? found : null);
  }

  const rowsOf = (root) => new Map($$('tr[id], li[id], [data-row]', root).map((row) => [row.id || row.dataset.row, row]));

  // The same row, whatever its relative times say.
  function plain(row) {
    const copy = row.cloneNode(true);
    copy.classList.remove('fg-changed');
    copy.removeAttribute('aria-selected');
    $$('time[data-ago]', copy).forEach((time) => { time.textContent = time.dateTime; });
    $$('[data-copy]', copy).forEach((button) => { button.hidden = false; });
    $$('input', copy).forEach((input) => { input.removeAttribute('checked'); });
    return copy.innerHTML.replace(/\s+/g, ' ').trim();
  }

  // Rows never change places under the pointer: they wait until it leaves, or until asked for.
  function hold(old, content) {
    const at = $$('.fg-table--live tbody', old).findIndex((body) => body.matches(':hover'));
    const body = at < 0 ? null : $$('.fg-table--live tbody', content)[at];
    if (!body) return;
    const wanted = Array.from(body.children);
    const byKey = new Map(wanted.filter((row) => row.id).map((row) => [row.id, row]));
    const standing = Array.from($$('.fg-table--live tbody', old)[at].children);
    if (standing.map((row) => row.id).join() === wanted.map((row) => row.id).join()) return;
    const known = new Set(standing.map((row) => row.id));
    const added = wanted.filter((row) => !known.has(row.id)).length;
    body.replaceChildren(...standing.map((row) => byKey.get(row.id) || row.cloneNode(true)));
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'fg-fresh';
    button.textContent = added ? fill(words.fresh, {n: added}) : words.moved;
    const table = body.closest('table');
    const release = () => {
      if (!button.isConnected) return;
      button.remove();
      body.replaceChildren(...wanted);
      prepare(table);
    };
    button.addEventListener('click', release);
    table.addEventListener('pointerleave', (event) => { if (event.relatedTarget !== button) release(); });
    table.before(button);
  }

  function swap(old, html) {
    const holder = document.createElement('template');
    holder.innerHTML = html.trim();
    const root = holder.content.firstElementChild;
    if (!root) return false;
    const outer = root.id === old.id && holder.content.childElementCount === 1;
    if (outer ? plain(old) === plain(root) && old.className === root.className
      : plain(old) === plain(Object.assign(document.createElement('div'), {innerHTML: html}))) return true;
    const before = rowsOf(old);
    const active = old.contains(document.activeElement) ? document.activeElement : null;
    const kept = {
      focus: active && active !== old ? [keyOf(active), placeOf(active, old), active.tagName] : null,
      checked: $$('input[type="checkbox"]:checked', old).map(keyOf).filter(Boolean),
      open: $$('details[open][id]', old).map((element) => element.id),
      scroll: $$('.fg-scroll, [data-keep-scroll]', old).map((element) => [element.scrollLeft, element.scrollTop]),
      page: [scrollX, scrollY]
    };
    const hadTexts = new Map($$('details[id]', old).map((element) => [element.id, element.open]));
    const content = document.importNode(outer ? root : holder.content, true);
    hold(old, content);
    const fresh = outer ? content : old;
    if (outer) old.replaceWith(content);
    else old.replaceChildren(content);
    $$('details[id]', fresh).forEach((element) => {
      if (hadTexts.has(element.id)) element.open = kept.open.includes(element.id);
    });
    kept.checked.forEach((key) => {
      const box = $(key, fresh);
      if (box) box.checked = true;
    });
    $$('.fg-scroll, [data-keep-scroll]', fresh).forEach((element, index) => {
      if (kept.scroll[index]) [element.scrollLeft, element.scrollTop] = kept.scroll[index];
    });
    if (kept.focus) {
      const again = twin(...kept.focus, fresh);
      if (again) again.focus({preventScroll: true});
    }
    if (scrollX !== kept.page[0] || scrollY !== kept.page[1]) scrollTo(kept.page[0], kept.page[1]);
    if (before.size) {
      rowsOf(fresh).forEach((row, key) => {
        const was = before.get(key);
        if (!was || plain(was) !== plain(row)) tint(row);
      });
    }
    prepare(fresh);
    if (window.htmx) window.htmx.process(fresh);
    fresh.dispatchEvent(new CustomEvent('fg:swapped', {bubbles: true}));
    return true;
  }

  function tint(row) {
    row.classList.add('fg-changed');
    setTimeout(() => row.classList.remove('fg-changed'), 1700);
  }

  function afterWaiting() {
    // A reset or sent form, a closed menu, a lost focus: look again whether it is free.
    Array.from(live.waiting).forEach((id) => { live.waiting.delete(id); refresh(id); });
  }

  function togglePause() {
    live.paused = !live.paused;
    if (live.paused) {
      hangUp();
      stopPolling();
      live.timers.forEach(clearTimeout);
      live.timers.clear();
      show('paused');
    } else {
      show('polling');
      listen();
      refreshAll();
    }
  }

  function startLive() {
    const pill = $('#fg-pill');
    if (!pill || !liveElements().length) return;
    pill.addEventListener('click', togglePause);
    listen();
    setInterval(() => { if (!live.poll) refreshAll(); }, CATCH_UP);
    setInterval(() => {
      if (live.waiting.size) afterWaiting();
      if (live.mode === 'lost') show('lost');
    }, 2000);
    document.addEventListener('focusout', () => setTimeout(afterWaiting, 50));
    document.addEventListener('visibilitychange', () => {
      clearTimeout(live.nap);
      if (document.hidden) { live.nap = setTimeout(hangUp, NAP); return; }
      refreshTimes();
      live.missed.forEach((id) => refresh(id));
      live.missed.clear();
      if (!live.source && !live.paused) { listen(); refreshAll(); }
    });
    window.addEventListener('online', () => { if (live.mode === 'lost') refreshAll(); });
    window.addEventListener('pagehide', hangUp);
    window.addEventListener('pageshow', (event) => { if (event.persisted) { listen(); refreshAll(); } });
  }

  /* 3 Theme: light, dark, or as the system; the server reads the cookie ---------------------- */

  const THEMES = ['system', 'light', 'dark'];

  function startTheme() {
    const button = $('#fg-theme');
    if (!button) return;
    let theme = document.documentElement.dataset.bsTheme || 'system';
    const name = () => button.setAttribute('aria-label',
      {light: words.themeLight, dark: words.themeDark, system: words.themeSystem}[theme]);
    button.hidden = false;
    name();
    button.title = button.getAttribute('aria-label');
    button.addEventListener('click', () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      if (theme === 'system') delete document.documentElement.dataset.bsTheme;
      else document.documentElement.dataset.bsTheme = theme;
      const secure = location.protocol === 'https:' ? '; Secure' : '';
      document.cookie = `fg-theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
      store.set('fg-theme', theme);
      name();
      button.title = button.getAttribute('aria-label');
      setText($('#fg-say'), button.title);
    });
  }

  /* 4 Keys ---------------------------------------------------------------------------------- */

  let going = 0;

  function startKeys() {
    const dialog = $('#fg-keys');
    const opener = $('#fg-keys-open');
    const box = $('#fg-keys-on');
    if (!dialog || !opener) return;
    opener.hidden = false;
    opener.addEventListener('click', () => dialog.showModal());
    box.checked = store.get('fg-keys') !== 'off';
    box.addEventListener('change', () => store.set('fg-keys', box.checked ? 'on' : 'off'));
    document.addEventListener('keydown', (event) => {
      const target = event.target;
      if (event.key === 'Escape') { closeMenus(); return; }
      if ((event.ctrlKey || event.metaKey) && event.key === 'k') {
        event.preventDefault();
        focusSearch();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || !box.checked) return;
      if (target.matches('input:not([type="checkbox"]):not([type="radio"]), textarea, select, [contenteditable]')) return;
      if ($('dialog[open]')) return;
      if (key(event.key)) event.preventDefault();
    });
  }

  function key(pressed) {
    if (Date.now() - going < 1500) {
      going = 0;
      const link = $(`[data-key="${CSS.escape(pressed)}"]`);
      if (link) { link.click(); return true; }
    }
    if (pressed === 'g') { going = Date.now(); return true; }
    if (pressed === '/') return focusSearch('.fg-query input, [data-filter]');
    if (pressed === '?') { $('#fg-keys').showModal(); return true; }
    if (pressed === 'j' || pressed === 'k') return moveRow(pressed === 'j' ? 1 : -1);
    if (pressed === 'x') return selectRow();
    return useShortcut(pressed);
  }

  // A letter shown on a button (<kbd class="fg-key">a</kbd>) or given as data-shortcut. What sends
  // something is only focused: Enter then does it, so that no single key ever decides.
  function useShortcut(pressed) {
    const shown = $$('.fg-key').find((mark) => mark.textContent.trim() === pressed);
    const target = shown ? shown.closest('a, button') : $(`[data-shortcut="${CSS.escape(pressed)}"]`);
    if (!target || !target.offsetParent) return false;
    if (target.matches('a, summary, button[type="button"]')) target.click();
    else target.focus();
    return true;
  }

  function focusSearch(selector) {
    const field = (selector && $(selector)) || $('#find');
    if (!field) return false;
    field.focus();
    if (field.select) field.select();
    return true;
  }

  const rowLinks = () => $$('.fg-table--live tbody .fg-name[href], [data-rows] .fg-name[href]');

  function moveRow(step) {
    const links = rowLinks();
    if (!links.length) return false;
    const row = document.activeElement.closest ? document.activeElement.closest('tr, li') : null;
    const at = links.findIndex((link) => link === document.activeElement || (row && row.contains(link)));
    const next = links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    next.focus();
    next.scrollIntoView({block: 'nearest'});
    return true;
  }

  function selectRow() {
    const row = document.activeElement.closest ? document.activeElement.closest('tr, li') : null;
    const box = row && $('.is-check input', row);
    if (!box) return false;
    box.click();
    return true;
  }

  function closeMenus(except) {
    $$('.fg-menu[open]').forEach((menu) => {
      if (menu === except) return;
      const inside = menu.contains(document.activeElement);
      menu.open = false;
      if (inside && !except) $('summary', menu).focus();
    });
  }

  /* 5 Tables: choose rows; the bulk bar is in the page and only shown when it means something -- */

  function selection(form) {
    const boxes = $$('input[type="checkbox"][name="pick"]', form);
    const all = $('[data-pick-all]', form);
    const bar = $('[data-bulk]', form);
    const chosen = boxes.filter((box) => box.checked);
    boxes.forEach((box) => {
      const row = box.closest('tr, li');
      if (row) row.toggleAttribute('aria-selected', false);
      if (row && box.checked) row.setAttribute('aria-selected', 'true');
    });
    if (all) {
      all.checked = boxes.length > 0 && chosen.length === boxes.length;
      all.indeterminate = chosen.length > 0 && chosen.length < boxes.length;
    }
    if (bar) {
      bar.hidden = chosen.length === 0;
      setText($('[data-bulk-count]', bar), fill(words.selected, {n: chosen.length}));
    }
  }

  let lastBox = null;

  function onPick(event) {
    const box = event.target;
    const form = box.closest('form');
    if (!form) return;
    if (box.matches('[data-pick-all]')) {
      $$('input[name="pick"]', form).forEach((each) => { each.checked = box.checked; });
    } else if (event.shiftKey && lastBox && form.contains(lastBox)) {
      const boxes = $$('input[name="pick"]', form);
      const [from, to] = [boxes.indexOf(lastBox), boxes.indexOf(box)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((each) => { each.checked = box.checked; });
    }
    lastBox = box;
    selection(form);
  }

  /* 6 Small helpers --------------------------------------------------------------------------- */

  async function copyText(button) {
    try {
      const source = button.dataset.copyFrom && $(button.dataset.copyFrom);
      await navigator.clipboard.writeText(source ? source.textContent.trim() : button.dataset.copy);
    } catch (error) {
      return;
    }
    button.classList.add('is-done');
    setText($('#fg-say'), words.copied);
    button.title = words.copied;
    setTimeout(() => { button.classList.remove('is-done'); button.title = ''; setText($('#fg-say'), ''); }, 2000);
  }

  // <form data-confirm-typed="name">: the button stays off until the name is typed. The server checks too.
  function confirmTyped(form) {
    const field = $('[data-typed], input[type="text"]', form);
    const button = $('button[type="submit"], button:not([type])', form);
    if (!field || !button) return;
    const check = () => { button.disabled = field.value.trim() !== form.dataset.confirmTyped; };
    field.addEventListener('input', check);
    check();
  }

  function prepare(root) {
    $$('[data-copy], [data-copy-from]', root).forEach((button) => { button.hidden = !navigator.clipboard; });
    $$('form[data-confirm-typed]', root).forEach(confirmTyped);
    $$('[data-script-only]', root).forEach((element) => { element.hidden = false; });
    $$('[data-no-script]', root).forEach((element) => { element.hidden = true; });
    $$('form', root).forEach((form) => { if ($('input[name="pick"]', form)) selection(form); });
    const around = root.closest && root.closest('form');
    if (around && $('input[name="pick"]', around)) selection(around);
    refreshTimes(root);
  }

  document.addEventListener('click', (event) => {
    const target = event.target.closest ? event.target : event.target.parentElement;
    if (!target) return;
    const button = target.closest('[data-copy], [data-copy-from]');
    if (button) { copyText(button); return; }
    const opener = target.closest('[data-dialog]');
    if (opener) {
      const dialog = $(opener.dataset.dialog);
      if (dialog && dialog.showModal) { event.preventDefault(); dialog.showModal(); }
    }
    const closer = target.closest('[data-close-dialog]');
    if (closer && closer.closest('dialog')) { event.preventDefault(); closer.closest('dialog').close(); }
    closeMenus(target.closest('.fg-menu') || document.body);
    if (target.matches('[data-pick-all], input[name="pick"]')) onPick(event);
  });

  // A form that is on its way is not sent twice.
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (event.defaultPrevented || (form.method || '').toLowerCase() !== 'post') return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = '1';
    setTimeout(() => delete form.dataset.sent, 5000);
  });
  window.addEventListener('pageshow', () => $$('form[data-sent]').forEach((form) => delete form.dataset.sent));

  document.addEventListener('htmx:configRequest', (event) => {
    if (csrf && event.detail.verb !== 'get') event.detail.headers['X-CSRFToken'] = csrf;
  });
  document.addEventListener('htmx:afterSwap', (event) => prepare(event.detail.target || document));
  // What came by an outer or an out-of-band swap is in the page, unlike the old target.
  document.addEventListener('htmx:load', (event) => prepare(event.detail.elt));

  function focusFirstError() {
    const field = $('main [aria-invalid="true"]');
    const first = field && (field.matches('input, select, textarea') ? field : $('input, select, textarea', field));
    if (first) first.focus();
  }

  prepare(document);
  startTheme();
  startKeys();
  startLive();
  focusFirstError();
  setInterval(() => { if (!document.hidden) refreshTimes(); }, 10000);
}());
