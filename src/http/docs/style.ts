/** How `/docs` looks, in light and in dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --side: #f6f7f9; --text: #1c2330; --soft: #5b6577; --line: #e1e5eb;
  --shade: #f3f5f8; --link: #0b5cad; --get: #0a6f4f; --post: #0b5cad; --patch: #8a5a00;
  --delete: #b3261e; --mark: #fff6d6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161d; --side: #171c25; --text: #e4e8ef; --soft: #9aa5b6; --line: #2a313d;
    --shade: #1b212b; --link: #7ab7f5; --get: #5fd0a5; --post: #7ab7f5; --patch: #e6b450;
    --delete: #f28b82; --mark: #2a2618;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; display: grid; grid-template-columns: 21rem minmax(0, 1fr);
  background: var(--ground); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
code, pre, nav .to, h3 a {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
nav {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem 3rem;
  background: var(--side); border-right: 1px solid var(--line);
}
nav a { display: block; }
nav .home { font-weight: 700; font-size: 1.15rem; color: var(--text); }
nav .tag {
  margin: 1.2rem 0 .3rem; color: var(--soft); font-weight: 600; font-size: .8rem;
  text-transform: uppercase; letter-spacing: .06em;
}
nav .to {
  display: grid; grid-template-columns: 3.6rem 1fr; padding: .12rem 0; color: var(--text);
  font-size: .74rem; overflow-wrap: anywhere;
}
b.GET { color: var(--get); } b.POST { color: var(--post); }
b.PATCH { color: var(--patch); } b.DELETE { color: var(--delete); }
main { padding: 2.5rem clamp(1rem, 3vw, 3rem) 6rem; max-width: 96rem; }
h1 { margin: 0; font-size: 2.2rem; letter-spacing: -.02em; }
h1 small { font-family: inherit; color: var(--soft); font-size: 1rem; font-weight: 400; letter-spacing: 0; }
h2 {
  margin: 4rem 0 0; padding-top: 1rem; border-top: 3px solid var(--text); font-size: 1.6rem;
  text-transform: capitalize;
}
h3 { margin: 0; font-size: 1.15rem; overflow-wrap: anywhere; }
h3 a { color: inherit; }
h4 { margin: 1.8rem 0 .4rem; font-size: 1rem; }
h4 span { color: var(--soft); font-weight: 400; }
p { margin: .4rem 0; max-width: 46rem; }
.lead { color: var(--soft); font-size: 1.1rem; }
.summary { font-weight: 600; }
section > article { padding: 2rem 0 1rem; border-top: 1px solid var(--line); margin-top: 2rem; }
.columns { display: grid; grid-template-columns: minmax(0, 1.25fr) minmax(0, 1fr); gap: 2.5rem; }
.shown { position: sticky; top: 1rem; align-self: start; }
.title { margin: 1rem 0 .3rem; color: var(--soft); font-size: .85rem; }
table { width: 100%; margin: 1rem 0; border-collapse: collapse; font-size: .9rem; }
caption { padding: .3rem 0; color: var(--soft); font-weight: 600; text-align: left; }
tr { border-top: 1px solid var(--line); }
th, td { padding: .45rem .8rem .45rem 0; text-align: left; vertical-align: top; font-weight: 400; }
.fields th { width: 34%; } .fields td:nth-of-type(1) { width: 24%; color: var(--soft); }
th code { font-weight: 600; font-size: .82rem; overflow-wrap: anywhere; }
th code span { color: var(--soft); font-weight: 400; }
i { color: var(--soft); font-size: .8rem; }
td small { display: inline-block; margin-left: .25em; }
small { color: var(--soft); font-size: .8rem; overflow-wrap: anywhere;
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.refusals .status { width: 3.5rem; color: var(--delete); }
.refusals th { width: 14rem; }
code { font-size: .88em; }
p code, td code, li code { padding: .05em .3em; border-radius: 4px; background: var(--shade); }
pre {
  margin: 0; padding: .9rem 1rem; overflow-x: auto; border: 1px solid var(--line);
  border-radius: 8px; background: var(--shade); font-size: .82rem; line-height: 1.5;
}
pre code { font-size: inherit; }
details summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); gap: 1rem; align-items: start; }
.grid article { padding: 1rem 1.2rem; border: 1px solid var(--line); border-radius: 8px; }
.grid .summary { color: var(--soft); }
article:target { background: linear-gradient(var(--mark), transparent 8rem); }
@media (max-width: 70rem) { .columns { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .shown { position: static; } }
@media (max-width: 52rem) {
  body { display: block; }
  nav { position: static; height: auto; border: 0; }
  .grid { grid-template-columns: minmax(0, 1fr); }
}
@media print { nav { display: none; } body { display: block; } .shown { position: static; } }
`;
