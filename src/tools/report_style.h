// How the page of karma report looks: on a screen in light and dark, on a phone, on paper.
#pragma once

#include <string_view>

namespace karma::tools {

inline constexpr std::string_view kReportStyle = R"(
:root{color-scheme:light dark;--page:#f3f5f8;--card:#fff;--line:#dce2ea;--text:#18212d;--quiet:#566273;--bar:#2b6cb8;
--track:#e3e9f1;--mark:#b4530a;--ok:#12693c;--ok-back:#dff3e7;--warn:#7a4f00;--warn-back:#fcefd2;--bad:#a3211a;
--bad-back:#fce4e1}
@media(prefers-color-scheme:dark){:root{--page:#0d1218;--card:#161d27;--line:#2a3442;--text:#e4e9f0;--quiet:#9ba8b9;
--bar:#68aefc;--track:#253142;--mark:#f2a65e;--ok:#6fd8a0;--ok-back:#12301f;--warn:#f2c161;--warn-back:#35290d;
--bad:#ff9a91;--bad-back:#401917}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:74rem;padding:1.5rem 1.25rem 3rem;background:var(--page);color:var(--text);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;margin:.1rem 0 .4rem}
h2{font-size:1.25rem;margin:2.25rem 0 .6rem}
h3{font-size:1.05rem;margin:0 0 .25rem}
p{margin:.25rem 0 .75rem;max-width:46rem}
.quiet,small,figcaption,summary,th,dt{color:var(--quiet)}
small,figcaption,.axis-days,.most{font-size:.8125rem}
.kind{margin:0;color:var(--quiet);font-size:.875rem;letter-spacing:.04em;text-transform:uppercase}
.state{display:inline-block;padding:.05rem .6rem;border-radius:1rem;font-weight:600}
.ok{color:var(--ok);background:var(--ok-back)}
.warning{color:var(--warn);background:var(--warn-back)}
.problem{color:var(--bad);background:var(--bad-back)}
.notes{list-style:none;margin:.75rem 0;padding:0}
.notes li{margin:.4rem 0;padding:.5rem .75rem;border-radius:.5rem}
.card,.tiles div,.charts figure{background:var(--card);border:1px solid var(--line);border-radius:.625rem}
.card{padding:1rem;margin:0 0 1rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.625rem;margin:0 0 1rem}
.tiles div{padding:.6rem .8rem}
.card .tiles div{background:var(--page)}
dt{font-size:.8125rem}
dd{margin:0;font-size:1.1875rem;font-weight:600;line-height:1.35}
dd small{display:block;font-weight:400}
.scroll{overflow-x:auto}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--bar);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.9375rem;overflow-wrap:normal}
.table-title{margin:0 0 .4rem;max-width:none;color:var(--quiet);font-size:.875rem}
th,td{padding:.3rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}
th{font-weight:500;font-size:.8125rem}
th:first-child,td:first-child,.text{text-align:left}
.two tr:first-child>*{text-align:right;border-bottom:0;padding-bottom:0}
tbody th{color:var(--text);font-size:.9375rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(20rem,100%),1fr));gap:.75rem;margin:0 0 1rem}
.charts figure{margin:0;padding:.75rem .9rem}
figcaption b{display:block;color:var(--text);font-size:1rem}
svg{display:block;width:100%}
.bars rect{fill:var(--bar)}
.axis,.grid{stroke:var(--line);fill:none;vector-effect:non-scaling-stroke}
.axis{stroke:var(--quiet)}
.grid{stroke-dasharray:2 3}
.histogram{margin-top:.4rem}
.histogram text{font-size:10.5px;fill:var(--quiet)}
path.mark{stroke:var(--mark);stroke-dasharray:3 2;fill:none}
.histogram text.mark{fill:var(--mark);font-weight:600}
.share{width:5rem;height:.5rem;display:inline-block;vertical-align:middle;fill:var(--bar)}
.share .all{fill:var(--track)}
details{margin-top:.5rem}
summary{cursor:pointer;font-size:.875rem}
details[open] summary{margin-bottom:.5rem}
.keys{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:auto auto minmax(8rem,1fr) auto;gap:0 1.25rem}
.keys li{display:grid;grid-column:1/-1;grid-template-columns:9rem 8rem minmax(8rem,1fr) 10.5rem;
grid-template-columns:subgrid;align-items:center;padding:.45rem 0;border-top:1px solid var(--line)}
.keys li:first-child{border-top:0;padding:0}
.keys b,.keys .total{text-align:right}
.keys .key{font-weight:600}
.keys .total small{display:block}
.axis-days{display:flex;justify-content:space-between;grid-column:3;color:var(--quiet)}
.days{height:2.75rem}
.most{color:var(--quiet)}
footer{margin-top:2.5rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.875rem;color:var(--quiet)}
@media(max-width:44rem){body{padding:1rem .75rem 2rem}h1{font-size:1.4rem}
.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}
.wide{display:none}.keys{display:block}
.keys li{grid-template-columns:minmax(0,1fr) auto;row-gap:.3rem}
.keys .total small{display:inline;margin-left:.5rem}
.days,.axis-days,.most{grid-column:1/-1}}
@media print{:root{--page:#fff}.card,.charts figure,.keys li{break-inside:avoid}}
)";

}  // namespace karma::tools
