"""Words that no generated text should have: obscene, insulting, or of sexual violence.

Found by the public list of dirty, naughty and obscene words by LDNOOBW in each language and by
reading; words that are coarse only in a second sense (hammer, pigeon, queen) are kept.
"""

# The letters of other scripts are meant: these are words of them.
# ruff: noqa: RUF001

ENGLISH = frozenset(
    """
    nude nudes nudity nipple nipples motherfucker playboy threesome boner vibrator fingering
    titty panty pantie rectum ejaculation scat bimbo smut swinger voyeur spastic spunk
    fellatio tosser beaner bollock bollocks swastika rape raped rapist bullshit sodomize
    bareback hardcore xxx topless busty spic genitalia micropenis masturbator pubic rectal
    anorectal erectile incestuous incestuously negroid retarded pimp stripper striptease
    wanker chickenshit sext sexpot fart farting crap crappy penis vagina sperm slut hooker
    orgasm sexuality sexy condom arse erection shitty horny homophobic genital vaginal kinky
    """.split()
)

COARSE = ENGLISH | frozenset(
    """
    Arsch Arschloch Porno Hurensohn Schlampe Penis Muschi Fotze Orgasmus Neger Neonazi
    Vagina Bastard Vergewaltigung Sexualität sexistisch anal nazi sexual sexuel sexuale
    porno fecal chiant merdique merdeux érotique pornographique sexualité prostitution
    branlette tapette violación sexualidad violado erótico incazzatura anale sessuale
    erotico vaginale bisessuale eterosessuale pornografico sexualidade pornografia sacanagem
    pornográfico секс пиздец изнасилование пенис говно задница хуйня голый сексуальный
    гадость seks seksi boktan sapık erotik heteroseksüel seksüel biseksüel pornografik
    اغتصاب إباحي 風俗 乳首 アダルト 性欲 人妻 処女
    全裸 痴漢 ポルノ 愛人
    性癖 ペニス ヌード 性的な 同性愛
    屁股 性感 变态 强奸 色情 鸡巴 妓女 性爱
    处女 汉奸 婊子 奶子 阴道 裸体 乳房 性交 笨蛋 强暴 淫乱 淫秽 很傻 卑贱
    """.split()
)
