"""One colour for each name, the same on every chart.

Each stands out by 3:1 at least from the white and from the dark page, and companies that share a
chart are told apart with any colour vision. ``tests/integration/test_bi_assets.py`` measures both.
"""

SCHEME = "warehouse"

COMPANIES = {
    "Alibaba": "#D55E00",
    "Amazon": "#8787EE",
    "Alphabet": "#047C9A",
    "Microsoft": "#C38383",
    "Baidu": "#941FF9",
    "Tencent": "#606B33",
    "JD": "#428A4C",
    "PDD": "#94477A",
    "Meituan": "#3664E2",
    "Nvidia": "#1D93CD",
}

BUSINESS_LINES = {
    "Cloud": "#385DC2",
    "Domestic commerce": "#D55E00",
    "Commerce": "#4A6F20",
    "International commerce": "#0488A9",
    "Local services": "#AA3182",
    "Logistics": "#B679EC",
    "Media": "#FA3DBB",
    "AI applications": "#D60559",
    "Other": "#A98C51",
    "Unallocated": "#7F7F7F",
    "Elimination": "#7B36E2",
}

SECURITIES = {
    "BABA": "#D55E00",
    "9988.HK": "#A819B3",
    "KWEB": "#3D89FA",
    "^HSI": "#634CFA",
    "SPY": "#8394C3",
    "JD": "#428A4C",
    "PDD": "#94477A",
}

#: What a dashboard knows as ``label_colors``.
LABELS = COMPANIES | BUSINESS_LINES | SECURITIES

#: For series without a colour of their own.
PALETTE = tuple(dict.fromkeys(COMPANIES.values()))
