// Opens reports in a real browser and checks what only a browser can tell:
//   node check.mjs DIR
// reads DIR/*.html, prints what is wrong and ends with status 1 if anything is.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const dir = process.argv[2];
let failed = 0;
let name = "";
function check(ok, what) {
  if (ok) return;
  failed++;
  console.log(`${name}: ${what}`);
}

// WCAG 2.2, "contrast ratio" and "relative luminance".
const contrastProblems = () => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m);
    return (x + 0.05) / (y + 0.05);
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const problems = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = 0; walker.nextNode() && n < 4000; n++) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("svg, script") || !element.checkVisibility()) continue;
    const r = ratio(rgba(getComputedStyle(element).color), ground(element));
    if (r < 4.5) problems.add(`<${element.localName} class="${element.className}"> ${r.toFixed(2)}`);
  }
  return [...problems];
};

const inOrder = (list, compare) => list.every((v, i) => i === 0 || compare(list[i - 1], v) <= 0);

async function keyboardAndTable(page) {
  const state = () => page.evaluate(() => {
    const table = document.getElementById("table");
    return {
      sorts: [...table.tHead.rows[0].cells].map((c) => c.getAttribute("aria-sort")),
      rows: [...table.tBodies[0].rows].filter((r) => !r.hidden).map((r) => [...r.cells].map((c) => c.dataset.sort ?? c.textContent.trim())),
      focus: document.activeElement.closest("th") ? document.activeElement.closest("th").cellIndex : -1,
    };
  });
  // Tab comes to the filter and then to each of the buttons.
  await page.focus("#filter");
  await page.keyboard.press("Tab"); // the box that scrolls
  for (const column of [0, 1]) {
    await page.keyboard.press("Tab");
    let s = await state();
    check(s.focus === column, `Tab does not reach the button of column ${column}: ${s.focus}`);
    const compare = column === 0 ? (a, b) => Number(a) - Number(b) : new Intl.Collator(await page.getAttribute("html", "lang"), { numeric: true }).compare;
    await page.keyboard.press("Enter");
    s = await state();
    check(s.sorts[column] === "ascending", `Enter does not sort column ${column}: ${s.sorts}`);
    check(s.sorts.filter(Boolean).length === 1, `aria-sort in more than one column: ${s.sorts}`);
    check(inOrder(s.rows.map((r) => r[column]), compare), `column ${column} is not in ascending order`);
    await page.keyboard.press("Enter");
    s = await state();
    check(s.sorts[column] === "descending", `a second Enter does not turn column ${column} round: ${s.sorts}`);
    check(inOrder(s.rows.map((r) => r[column]).reverse(), compare), `column ${column} is not in descending order`);
  }
  const before = (await state()).rows;
  const wanted = before[0].at(-1);
  await page.fill("#filter", wanted.toUpperCase());
  await page.waitForFunction(() => document.querySelector("output[for=filter]").textContent !== "");
  const after = (await state()).rows;
  check(after.length >= 1 && after.every((r) => r.join(" ").includes(wanted)), `the filter ${wanted} leaves ${after.length} of ${before.length} rows`);
  check(before.length === 1 || after.length < before.length || before.every((r) => r.join(" ").includes(wanted)), "the filter leaves every row");
  await page.fill("#filter", "");
  await page.waitForFunction(() => document.querySelector("output[for=filter]").textContent === "");
  check((await state()).rows.length === before.length, "rows are missing after the filter is cleared");
}

async function details(page) {
  const first = page.locator("details").first();
  const was = await first.evaluate((d) => d.open);
  await first.locator("summary").first().focus();
  await page.keyboard.press("Enter");
  check((await first.evaluate((d) => d.open)) === !was, "details do not open and close by keyboard");
  await page.keyboard.press("Enter");
}

async function overflow(page, width) {
  await page.setViewportSize({ width, height: 740 });
  const wide = await page.evaluate(() => {
    for (const d of document.querySelectorAll("details")) d.open = true;
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    return [...document.body.querySelectorAll("*")]
      .filter((e) => !e.closest(".scroll") && e.getBoundingClientRect().right > room + 1)
      .slice(0, 5).map((e) => `${e.localName}.${e.getAttribute("class")}`).concat("the page");
  });
  check(wide.length === 0, `too wide at ${width} px: ${wide.join(", ")}`);
}

for (const file of readdirSync(dir).filter((f) => f.endsWith(".html")).sort()) {
  for (const colorScheme of ["light", "dark"]) {
    name = `${file}, ${colorScheme}`;
    const url = pathToFileURL(join(dir, file)).href;
    const browser = await launch({ colorScheme, viewport: { width: 1100, height: 900 } });
    const { page } = browser;
    page.setDefaultTimeout(10_000);
    page.on("console", (m) => check(false, `console: ${m.type()} ${m.text()}`));
    page.on("pageerror", (e) => check(false, `error: ${e.message}`));
    page.on("dialog", (d) => (check(false, `dialog: ${d.message()}`), d.dismiss()));
    page.on("request", (r) => check(r.url() === url || r.url().startsWith("data:"), `request: ${r.url()}`));
    await page.addInitScript(() => {
      window.violations = [];
      addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
    });
    const begin = Date.now();
    await page.goto(url);
    const took = Date.now() - begin;
    check(took < 5000, `shown after ${took} ms`);
    check((await page.locator("h1").innerText()).trim() !== "", "there is no answer");
    const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number));
    check(colorScheme === "dark" ? Math.max(...ground) < 64 : Math.min(...ground) > 192, `the ground is rgb(${ground})`);
    for (const p of await page.evaluate(contrastProblems)) check(false, `contrast: ${p}`);
    check(await page.evaluate(() => getComputedStyle(document.body).paddingTop !== "0px"), "the style does not apply");
    if (await page.locator("#table").count()) {
      check(await page.evaluate(() => document.documentElement.classList.contains("script")), "the script does not run");
      await keyboardAndTable(page);
      const picture = page.locator("svg.timeline");
      check((await picture.getAttribute("aria-label"))?.length > 20, "the picture has no text alternative");
      check((await picture.locator(".bar rect").count()) > 0, "the picture is empty");
    }
    if (await page.locator("details").count()) await details(page);
    for (const width of [360, 768]) await overflow(page, width);
    if (colorScheme === "light") {
      const pdf = await page.pdf({ format: "A4" });
      check(pdf.length > 5000 && pdf.subarray(0, 4).toString() === "%PDF", `the print is ${pdf.length} bytes`);
    }
    const violations = await page.evaluate(() => window.violations);
    check(violations.length === 0, `against the policy: ${violations.join(", ")}`);
    await browser.close();
    console.log(`${name}: shown after ${took} ms`);
  }
}
process.exit(failed > 0 ? 1 : 0);
