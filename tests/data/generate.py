"""Makes the reference results of this folder with PyTorch, in float64 from inputs in float32.

Needs PyTorch 2.14 and NumPy; another version of PyTorch may draw other numbers:

    python3 tests/data/generate.py                      # into this folder, with its seed
    python3 tests/data/generate.py /tmp/other 42        # into another folder, with another seed

Writes FOLDER/<case>/<name>.npy, and FOLDER/manifest.json, which describes each case. Inputs are float32, int64 or bool;
results are float64 or bool. Masks: true means kept.
"""
import sys, os, json, math
import numpy as np, torch
import torch.nn.functional as F

out_dir = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20261123
gen = torch.Generator().manual_seed(seed)
torch.manual_seed(seed)
manifest = {}

def randn(*s): return torch.randn(*s, generator=gen, dtype=torch.float32)
def rand(*s): return torch.rand(*s, generator=gen, dtype=torch.float32)
def randint(lo, hi, s): return torch.randint(lo, hi, s, generator=gen)

def save(case, note, **tensors):
    d = os.path.join(out_dir, case); os.makedirs(d, exist_ok=True)
    shapes = {}
    for k, v in tensors.items():
        a = v.detach().cpu().numpy() if isinstance(v, torch.Tensor) else np.asarray(v)
        if a.dtype == np.float64 or a.dtype == np.float32 or a.dtype == np.int64 or a.dtype == np.bool_: pass
        else: raise TypeError((case, k, a.dtype))
        np.save(os.path.join(d, k + ".npy"), np.ascontiguousarray(a))
        shapes[k] = [str(a.dtype), list(a.shape)]
    manifest[case] = {"note": note, "arrays": shapes}

def lengths_mask(lens, n): return torch.arange(n)[None, :] < lens[:, None]
D = torch.float64
def g(x): return x.to(D).clone().requires_grad_(True)

# ---- builders -------------------------------------------------------------------------------
B, S = 7, 133
lens = randint(0, S + 1, (B,)); lens[0] = 0; lens[1] = S
save("keep_lengths", "kept[b,j] = j < lengths[b]", lengths=lens, n=torch.tensor(S), mask=lengths_mask(lens, S))
save("keep_lengths_left_padded", "kept[b,j] = j >= n - lengths[b]", lengths=lens, n=torch.tensor(S), mask=torch.arange(S)[None, :] >= (S - lens)[:, None])
idx = torch.unique(randint(0, 200, (23,)))
m = torch.ones(200, dtype=torch.bool); m[idx] = False
save("drop_indices", "1-D: listed positions dropped", indices=idx, n=torch.tensor(200), mask=m)
tok = randint(0, 50, (9, 77)); ids = torch.tensor([0, 3, 17, 41, 49])
save("drop_tokens_few", "~isin(tokens, ids)", tokens=tok, ids=ids, mask=~torch.isin(tok, ids))
tok = randint(-5, 40000, (5, 301)); ids = randint(-5, 40000, (900,)); ids[:40] = tok.flatten()[:40]
save("drop_tokens_many", "~isin(tokens, ids), 900 ids, negative ids too", tokens=tok, ids=ids, mask=~torch.isin(tok, ids))
x = randn(6, 65)
save("keep_above", "x > 0.5", x=x, mask=x > 0.5)
save("keep_between", "-0.25 <= x <= 0.75", x=x, mask=(x >= -0.25) & (x <= 0.75))
save("keep_magnitude_above", "|x| > 0.8", x=x, mask=x.abs() > 0.8)
T = 70
q = torch.arange(T)[:, None]; k = torch.arange(T)[None, :]
doc = torch.sort(randint(0, 6, (T,))).values
save("keep_causal", "k <= q", mask=(k <= q))
save("keep_window", "causal sliding window of 9: q-k in [0, 9)", mask=(k <= q) & (q - k < 9))
save("keep_band", "|q-k| <= 4", mask=(q - k).abs() <= 4)
save("keep_same_segment", "doc[q] == doc[k]", segments=doc, mask=doc[:, None] == doc[None, :])
save("keep_prefix_lm", "k < 12 or k <= q", mask=(k < 12) | (k <= q))
w = randn(16, 32)
kk = 7
top = torch.zeros_like(w, dtype=torch.bool).scatter_(1, w.abs().topk(kk, dim=1).indices, True)
save("keep_top_k_per_row", "7 largest |w| of every row", w=w, mask=top)
nm = torch.zeros(16, 8, 4, dtype=torch.bool).scatter_(2, w.abs().view(16, 8, 4).topk(2, dim=2).indices, True).view(16, 32)
save("keep_2_of_4", "2 largest |w| of each 4 along the row", w=w, mask=nm)

# ---- appliers -------------------------------------------------------------------------------
x = randn(B, S); mask = lengths_mask(lens, S)
save("masked_fill", "dropped positions become -1e9", x=x, lengths=lens, y=x.to(D).masked_fill(~mask, -1e9))
save("multiply_hard", "dropped positions become 0", x=x, lengths=lens, y=x.to(D) * mask)
gate = randn(B, S)
xg, gg = g(x), g(gate); y = xg * torch.sigmoid(gg); up = randn(B, S).to(D); y.backward(up)
save("multiply_soft_gate", "x * sigmoid(gate); gradients for upstream `up`", x=x, gate=gate, up=up, y=y, grad_x=xg.grad, grad_gate=gg.grad)
rm = rand(B, S) > 0.6
save("masked_select", "kept values in row-major order", x=x, mask=rm, y=x.to(D)[rm])
src = randn(B * S)
save("masked_scatter", "kept positions take the next source value", x=x, mask=rm, source=src, y=x.to(D).masked_scatter(rm, src.to(D)))

# ---- reductions: torch.masked semantics, every row has a kept element -------------------------
rm2 = rand(11, 67) > 0.4; rm2[:, 0] = True; xr = randn(11, 67)
X = torch.masked.as_masked_tensor
tm = torch.masked
r = lambda f, **kw: f(xr.to(D), 1, mask=rm2, **kw)
save("reduce_rows", "torch.masked.*(x, dim=1, mask)", x=xr, mask=rm2, sum=r(tm.sum), mean=r(tm.mean), prod=r(tm.prod), amax=r(tm.amax), amin=r(tm.amin),
     argmax=r(tm.argmax), argmin=r(tm.argmin), var=tm.var(xr.to(D), 1, True, mask=rm2), std=tm.std(xr.to(D), 1, True, mask=rm2),
     norm2=tm.norm(xr.to(D), 2.0, 1, mask=rm2), norm1=tm.norm(xr.to(D), 1.0, 1, mask=rm2), logsumexp=r(tm.logsumexp), median=r(tm.median))
save("reduce_all", "over every axis", x=xr, mask=rm2, sum=xr.to(D)[rm2].sum(), mean=xr.to(D)[rm2].mean(), amax=xr.to(D)[rm2].max(), amin=xr.to(D)[rm2].min(),
     var=xr.to(D)[rm2].var(), norm2=xr.to(D)[rm2].norm())
x3 = randn(5, 9, 33); m3 = rand(5, 9, 33) > 0.5
m3[:, 0, :] = True; m3[0] = True
save("reduce_axis_0", "axis 0 of a rank-3 tensor", x=x3, mask=m3, sum=tm.sum(x3.to(D), 0, mask=m3), mean=tm.mean(x3.to(D), 0, mask=m3), amax=tm.amax(x3.to(D), 0, mask=m3))
save("reduce_axis_1", "axis 1 of a rank-3 tensor", x=x3, mask=m3, sum=tm.sum(x3.to(D), 1, mask=m3), mean=tm.mean(x3.to(D), 1, mask=m3), amin=tm.amin(x3.to(D), 1, mask=m3))
hid = randn(7, 41, 19); ln = randint(1, 42, (7,)); mm = lengths_mask(ln, 41)
save("mean_pool", "mean over the kept tokens (axis 1) of (batch, tokens, features), mask (batch, tokens)", x=hid, lengths=ln, y=(hid.to(D) * mm[..., None]).sum(1) / mm.sum(1, keepdim=True))

# ---- softmax family ---------------------------------------------------------------------------
s = randn(6, 4, 37); sm = rand(6, 4, 37) > 0.3; sm[..., 0] = True
sg = g(s); y = torch.softmax(sg.masked_fill(~sm, -math.inf), -1); up = randn(6, 4, 37).to(D); y.backward(up)
lg = g(s); ly = torch.log_softmax(lg.masked_fill(~sm, -math.inf), -1)
save("masked_softmax", "last axis; gradients for upstream `up`; log_softmax only meaningful where kept", x=s, mask=sm, up=up, y=y, grad_x=sg.grad, log_y=ly.masked_fill(~sm, 0.0))
nrm = tm.normalize(xr.to(D), 2.0, 1, mask=rm2).masked_fill(~rm2, 0.0)
save("masked_normalize", "x / max(||kept||_2, 1e-12) along rows, 0 where dropped", x=xr, mask=rm2, y=nrm)
cs = tm.cumsum(xr.to(D), 1, mask=rm2)
save("masked_cumsum", "torch.masked.cumsum(x, 1); compare where kept", x=xr, mask=rm2, y=cs)

# ---- losses: mean over the kept positions, gradient of that mean --------------------------------
def loss_case(name, note, p, t, mask, elementwise, **extra):
    pg = g(p); L = elementwise(pg, t.to(D) if t.is_floating_point() else t)
    mean = L[mask].sum() / mask.sum(); mean.backward()
    save(name, note, prediction=p, target=t, mask=mask, sum=L[mask].sum(), mean=mean, grad_of_mean=pg.grad, elementwise=L.detach().masked_fill(~mask, 0.0), **extra)

C = 29; lgts = randn(4, 13, C) * 3; tg = randint(0, C, (4, 13)); ml = lengths_mask(torch.tensor([13, 1, 7, 0]), 13)
ce = lambda **kw: (lambda p, t: F.cross_entropy(p.transpose(1, 2), t, reduction="none", **kw))
loss_case("cross_entropy", "classes on the last axis", lgts, tg, ml, ce())
loss_case("cross_entropy_smoothed", "label_smoothing 0.1", lgts, tg, ml, ce(label_smoothing=0.1))
cw = rand(C) + 0.2
pg = g(lgts); L = F.cross_entropy(pg.transpose(1, 2), tg, reduction="none", weight=cw.to(D)); den = (cw.to(D)[tg] * ml).sum(); mean = L[ml].sum() / den; mean.backward()
save("cross_entropy_class_weights", "mean divides by the summed class weights of the kept targets, as PyTorch's reduction='mean' does", prediction=lgts, target=tg, mask=ml, class_weights=cw, sum=L[ml].sum(), mean=mean, grad_of_mean=pg.grad)
p, t = randn(5, 71), randn(5, 71); rmk = rand(5, 71) > 0.35
loss_case("mse", "", p, t, rmk, lambda a, b: F.mse_loss(a, b, reduction="none"))
loss_case("mae", "", p, t, rmk, lambda a, b: F.l1_loss(a, b, reduction="none"))
loss_case("huber", "delta 0.7", p, t, rmk, lambda a, b: F.huber_loss(a, b, reduction="none", delta=0.7))
loss_case("smooth_l1", "beta 0.7", p, t, rmk, lambda a, b: F.smooth_l1_loss(a, b, reduction="none", beta=0.7))
yb = (rand(5, 71) > 0.5).float()
loss_case("bce_with_logits", "", p * 4, yb, rmk, lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction="none"))
loss_case("bce_with_logits_pos_weight", "pos_weight 2.5", p * 4, yb, rmk, lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction="none", pos_weight=torch.tensor(2.5, dtype=D)))
pr = torch.sigmoid(p)
loss_case("bce", "prediction is a probability", pr, yb, rmk, lambda a, b: F.binary_cross_entropy(a, b, reduction="none"))
lp = torch.log_softmax(randn(4, 13, C), -1)
loss_case("nll", "prediction holds log-probabilities, classes on the last axis", lp, tg, ml, lambda a, b: F.nll_loss(a.transpose(1, 2), b, reduction="none"))
tp = torch.softmax(randn(5, 71), -1)
loss_case("kl_div", "prediction holds log-probabilities, target probabilities; element-wise", torch.log_softmax(p, -1), tp, rmk, lambda a, b: F.kl_div(a, b, reduction="none"))
sgn = torch.where(rand(5, 71) > 0.5, 1.0, -1.0)
loss_case("hinge", "max(0, 1 - target * prediction), targets -1 or 1", p, sgn, rmk, lambda a, b: torch.clamp(1 - a * b, min=0))
def focal(a, b):
    pt = torch.sigmoid(a) * b + (1 - torch.sigmoid(a)) * (1 - b)
    return (1 - pt) ** 2 * F.binary_cross_entropy_with_logits(a, b, reduction="none")
loss_case("focal_with_logits", "gamma 2, no alpha", p * 2, yb, rmk, focal)
loss_case("poisson_nll", "log_input=True: exp(prediction) - target * prediction", p, (rand(5, 71) * 4).round(), rmk, lambda a, b: F.poisson_nll_loss(a, b, reduction="none"))
loss_case("custom_half_square", "0.5 * (prediction - target)^2 of a (batch, height, width) output", randn(2, 4, 5), randn(2, 4, 5), rand(2, 4, 5) > 0.4, lambda a, b: 0.5 * (a - b) ** 2)
wt = rand(5, 71)
pg = g(p); L = F.mse_loss(pg, t.to(D), reduction="none"); mean = (L * wt.to(D)).sum() / wt.to(D).sum(); mean.backward()
save("mse_soft_weights", "weighted mean: sum(w * loss) / sum(w)", prediction=p, target=t, weights=wt, mean=mean, grad_of_mean=pg.grad)

# ---- weight masks ------------------------------------------------------------------------------
def linear_case(name, note, weight_of, **extra):
    lin_w, lin_b, xin = g(W), g(bias), g(xi)
    eff = weight_of(lin_w); y = F.linear(xin, eff, lin_b); y.backward(upl)
    save(name, note, x=xi, weight=W, bias=bias, up=upl, y=y, grad_weight=lin_w.grad, grad_bias=lin_b.grad, grad_x=xin.grad, **extra)
W, bias, xi = randn(23, 40) * 0.5, randn(23), randn(8, 40); upl = randn(8, 23).to(D)
wm = rand(23, 40) > 0.5
linear_case("masked_linear", "y = x (weight * mask)^T + bias, weight is (out, in); weight gradient is 0 where dropped", lambda w: w * wm, mask=wm)
linear_case("masked_linear_threshold", "mask = weight > 0.5", lambda w: w * (W > 0.5))
gt = randn(23, 40); lin_w, gg, xin = g(W), g(gt), g(xi); y = F.linear(xin, lin_w * torch.sigmoid(gg), bias.to(D)); y.backward(upl)
save("masked_linear_gate", "weight * sigmoid(gate), the gate is learned", x=xi, weight=W, bias=bias, gate=gt, up=upl, y=y, grad_weight=lin_w.grad, grad_gate=gg.grad, grad_x=xin.grad)

# ---- input-conditioned output masks ---------------------------------------------------------------
I, H, O, N = 10, 32, 5, 4
P = {k: randn(*s) * 0.3 for k, s in dict(feature_weight=(H, I), feature_bias=(H,), output_weight=(O, H), output_bias=(O,), mask_weight=(O, I), mask_bias=(O,)).items()}
xi4 = randn(N, I); G = {k: g(v) for k, v in P.items()}; up4 = randn(N, O).to(D); xx = g(xi4)
f = torch.relu(F.linear(xx, G["feature_weight"], G["feature_bias"])); o = F.linear(f, G["output_weight"], G["output_bias"]); gm = torch.sigmoid(F.linear(xx, G["mask_weight"], G["mask_bias"]))
y = o * gm; y.backward(up4)
save("gated_fc", "relu features -> output * sigmoid(mask layer of x)", x=xi4, up=up4, y=y, gate=gm, grad_x=xx.grad, **P, **{"grad_" + k: v.grad for k, v in G.items()})
L_ = 20; lstm = torch.nn.LSTM(I, H, batch_first=True); xs = randn(N, L_, I)
Pl = {"weight_ih": lstm.weight_ih_l0, "weight_hh": lstm.weight_hh_l0, "bias_ih": lstm.bias_ih_l0, "bias_hh": lstm.bias_hh_l0}
Pd = {"decoder_weight": randn(O, H) * 0.3, "decoder_bias": randn(O), "mask_weight": randn(O, H) * 0.3, "mask_bias": randn(O)}
lstmd = torch.nn.LSTM(I, H, batch_first=True).double(); lstmd.load_state_dict({k: v.double() for k, v in lstm.state_dict().items()})
with torch.no_grad():
    enc, (hN, cN) = lstmd(xs.double()); hN = hN[-1]
    y = F.linear(hN, Pd["decoder_weight"].double(), Pd["decoder_bias"].double()) * torch.sigmoid(F.linear(hN, Pd["mask_weight"].double(), Pd["mask_bias"].double()))
save("gated_seq2seq", "LSTM encoder (gates i,f,g,o); its final hidden state drives decoder and gate", x=xs, y=y, hidden=hN, **{k: v.float() for k, v in Pl.items()}, **Pd)
NH = 4
Pa = {f"{n}_{k}": randn(*s) * 0.3 for n in ("query", "key", "value") for k, s in (("weight", (H, I)), ("bias", (H,)))}
Pa.update({"output_weight": randn(O, H) * 0.3, "output_bias": randn(O), "mask_weight": randn(O, H) * 0.3, "mask_bias": randn(O)})
Pq = {k: v.double() for k, v in Pa.items()}; xa = xs.double(); ln4 = randint(1, L_ + 1, (N,))
def heads(n): return F.linear(xa, Pq[f"{n}_weight"], Pq[f"{n}_bias"]).view(N, L_, NH, H // NH).transpose(1, 2)
def mha(att_mask, pool_mask):
    sc = heads("query") @ heads("key").transpose(-1, -2) / math.sqrt(H // NH)
    if att_mask is not None: sc = sc.masked_fill(~att_mask, -math.inf)
    a = (torch.softmax(sc, -1) @ heads("value")).transpose(1, 2).reshape(N, L_, H)
    pooled = a.mean(1) if pool_mask is None else (a * pool_mask[..., None]).sum(1) / pool_mask.sum(1, keepdim=True)
    return F.linear(pooled, Pq["output_weight"], Pq["output_bias"]) * torch.sigmoid(F.linear(pooled, Pq["mask_weight"], Pq["mask_bias"]))
km = lengths_mask(ln4, L_)
save("gated_attention", "4-head attention, mean over tokens, output * sigmoid gate; y: unmasked; y_padded: keys and pooling masked by lengths; y_causal: causal and key lengths", x=xs, lengths=ln4, y=mha(None, None), y_padded=mha(km[:, None, None, :], km),
     y_causal=mha(km[:, None, None, :] & torch.tril(torch.ones(L_, L_, dtype=torch.bool)), km), **Pa)
qq, kx, vv = randn(2, 3, 33, 16), randn(2, 3, 41, 16), randn(2, 3, 41, 16)
am = rand(2, 1, 33, 41) > 0.4; am[..., 0] = True
save("attention", "scaled dot-product attention, mask broadcast over heads", query=qq, key=kx, value=vv, mask=am, y=F.scaled_dot_product_attention(qq.double(), kx.double(), vv.double(), attn_mask=am))

# ---- accumulation over unequal batches ------------------------------------------------------------
P4, T4 = randn(6, 8, 31), randn(6, 8, 31); l4 = randint(0, 32, (6, 8)); m4 = torch.arange(31)[None, None] < l4[..., None]
save("accumulated_mse", "six micro-batches of 8 rows with unequal lengths: the mean over all kept elements, not the mean of means", prediction=P4, target=T4, lengths=l4,
     mean=((P4.double() - T4.double()) ** 2)[m4].mean())

os.makedirs(out_dir, exist_ok=True)
json.dump({"made_with": f"PyTorch {torch.__version__}, float64 arithmetic on float32 inputs", "cases": manifest}, open(os.path.join(out_dir, "manifest.json"), "w"), indent=1)
print(len(manifest), "cases")
