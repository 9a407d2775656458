"""Invented people's names of many cultures, with the ASCII form that an e-mail address needs.

A family name is a stem and an ending put together, so that a few words give thousands of names and
none is copied from a list of people. A part written ``native|latin`` carries its own transliteration;
any other part is Latin script and is stripped of its accents.
"""

import re
import unicodedata
from dataclasses import dataclass
from random import Random

from deploy.local.hr.draw import pick
from shared.contracts.base import Key

EMAIL_DOMAIN = "meridian.example.org"
"""Under a domain reserved for examples (RFC 2606): mail to it reaches nobody."""

_LETTERS = str.maketrans(
    {
        "ł": "l",
        "Ł": "L",
        "ø": "o",
        "Ø": "O",
        "ß": "ss",
        "ı": "i",
        "đ": "d",
        "Đ": "D",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "þ": "th",
        "Þ": "Th",
        "ð": "d",
        "ħ": "h",
        "ŋ": "ng",
        "ə": "e",
        "ɛ": "e",
    }
)
_UNSAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Name:
    """A given and a family name as written, and the e-mail's local part without the employee id."""

    given: str
    family: str
    local: str


@dataclass(frozen=True, slots=True)
class _Culture:
    given: str
    stems: str
    endings: str = ""


_CULTURES = {
    "en": _Culture(
        "Ada Owen Maisie Rhys Tamsin Callum Isla Gareth Niamh Alfie Bronwen Duncan Siân Seán",
        "Ash Black Cold Dun Elder Fair Hart Marsh Oak Penn Stan Thorn Whit Wolver",
        "bourne bridge combe field ford ham hurst ley mere ridge ton well wick worth",
    ),
    "de": _Culture(
        "Jörg Käthe Anselm Frieda Götz Lene Ruprecht Änne Till Wiebke Jürgen Romy Ulrich Silke",
        "Alt Birken Eich Falken Grün Hohen Königs Linden Mühl Roß Stein Tannen Weiß Zeller",
        "bach berg dorfer feld hauser hofer mann meier rath stätter thal wald",
    ),
    "fr": _Culture(
        "Zoë Anaïs Benoît Célestine Édouard Maëlle Noël Océane Rémi Séverine Théo Yaël Gaëtan Hélène",
        "Beau Chante Clair Cour Font Grand Haute Mont Pierre Roche Saint-Aub Val",
        "celle champ court fleury laire lieu mont nault rive ville vigne",
    ),
    "es": _Culture(
        "Álvaro Begoña Íñigo Lucía Martín Nuria Óscar Pilar Raúl Sofía Tomás Ximena Andrés Inés",
        "Agui Bena Cabr Esqui Fuent Goñ Ibar Lozan Mald Peñal Quin Zald",
        "era ero ivar onado osa rez uela ález ías",
    ),
    "pt": _Culture(
        "João Inês Tomé Conceição Luís Graça Simão Assunção Vítor Lívia Mateus Leonor",
        "Alm Barr Carv Fig Gouv Mour Nog Oliv Per Taveir Vascon",
        "alho ede eia eira eiro ela elos eão inho ó",
    ),
    "it": _Culture(
        "Niccolò Mirella Dario Fiammetta Ennio Ludovica Tazio Ornella Nicolò Perla Ugo Serafina",
        "Bel Bran Cas Fer Gal Mal Mon Pel Ross Sal Ver Zan",
        "acci andi anti ardi ello enghi etti icò ini one uzzi",
    ),
    "pl": _Culture(
        "Łukasz Małgorzata Stanisław Żaneta Wojciech Bożena Paweł Świętosława Ścibor Halina Józef",
        "Bąk Brzez Czarn Gór Jabłoń Kowal Lip Mław Nowic Sław Wierzb Źród",
        "czak czyk ewski icki iński owicz owski ski",
    ),
    "cs": _Culture(
        "Jiří Božena Vojtěch Šárka Ondřej Květa Tomáš Žofie Řehoř Lenka Matěj Zdeňka",
        "Čern Dvoř Hav Jel Krát Mar Nov Pros Růž Svob Štěp Žal",
        "an ička ek elka ický ník ouš ák ý",
    ),
    "nordic": _Culture(
        "Åsa Bjørn Freyja Gunnar Håkon Ingrid Jökull Linnéa Mårten Sæunn Tuuli Väinö Þóra Ørjan",
        "Berg Björk Dahl Fjäll Hav Lind Løv Nygård Sjö Strand Sund Øster",
        "berg dal feldt gren heim holm kvist lund rud ström vik",
    ),
    "tr": _Culture(
        "Çağla Emre Gülşen İlker Işıl Ömer Özge Şule Tuğba Uğur Yiğit Zübeyde",
        "Ak Bozk Çel Demir Gün Ka Kılıç Öz Şah Taş Yıl Yüce",
        "an ay başı dağ er gil in kan lı maz oğlu türk",
    ),
    "el": _Culture(
        "Ελένη|Eleni Γιώργος|Giorgos Θάλεια|Thaleia Νίκος|Nikos Άννα|Anna Πέτρος|Petros Ζωή|Zoi",
        "Αλεξ|Alex Γεωργ|Georg Δημ|Dim Καλ|Kal Μαυρ|Mavr Νικολ|Nikol Παπ|Pap Χρυσ|Chrys",
        "άκης|akis ίδης|idis όπουλος|opoulos έας|eas ινός|inos",
    ),
    "uk": _Culture(
        "Олена|Olena Тарас|Taras Оксана|Oksana Юрій|Yurii Ярина|Yaryna Андрій|Andrii Їва|Yiva",
        "Бондар|Bondar Верб|Verb Гайд|Haid Коваль|Koval Лисен|Lysen Мороз|Moroz Шевч|Shevch",
        "енко|enko ук|uk ишин|yshyn чак|chak івський|ivskyi",
    ),
    "zh": _Culture(
        "小明|Xiaoming 丽华|Lihua 建国|Jianguo 雨桐|Yutong 子涵|Zihan 思远|Siyuan 静怡|Jingyi 浩然|Haoran "
        "晓燕|Xiaoyan 志强|Zhiqiang 梦洁|Mengjie 文博|Wenbo",
        "李|Li 王|Wang 张|Zhang 刘|Liu 陈|Chen 杨|Yang 赵|Zhao 黄|Huang 周|Zhou 吴|Wu 徐|Xu 欧阳|Ouyang",
    ),
    "ja": _Culture(
        "陽菜|Hina 蓮|Ren 結衣|Yui 大翔|Hiroto 美咲|Misaki 悠真|Yuma 葵|Aoi 健太|Kenta さくら|Sakura 翼|Tsubasa",
        "青|Ao 石|Ishi 上|Ue 大|Oo 小|Ko 高|Taka 中|Naka 林|Hayashi 松|Matsu 山|Yama",
        "井|i 川|kawa 木|ki 田|da 谷|tani 野|no 原|hara 村|mura 本|moto",
    ),
    "ko": _Culture(
        "서연|Seoyeon 민준|Minjun 지우|Jiwoo 도윤|Doyun 하은|Haeun 준서|Junseo 수아|Sua 예린|Yerin",
        "김|Kim 이|Lee 박|Park 최|Choi 정|Jeong 강|Kang 조|Cho 윤|Yoon 장|Jang 임|Lim 남궁|Namgung",
    ),
    "in": _Culture(
        "Aarav Ishani Devika Rohan Meenakshi Kabir Lakshmi Nikhil Saanvi Tejas Vaishnavi Yash "
        "अनिता|Anita राजेश|Rajesh பிரியா|Priya",
        "Acha Bhat Chan Desh Gup Jay Kri Mukh Nam Ran Shri Vas",
        "ande anth arya dev erjee esh nadan nair pande rao ta war yan",
    ),
    "ar": _Culture(
        "ليلى|Layla يوسف|Yousef مريم|Maryam خالد|Khaled نور|Nour طارق|Tareq سلمى|Salma عمر|Omar هدى|Huda",
        "الحد|Al-Had النج|Al-Naj الخط|Al-Khat السي|Al-Say المن|Al-Man الزه|Al-Zah",
        "ادي|adi ار|ar اني|ani يب|ib وري|ouri راوي|rawi",
    ),
    "he": _Culture(
        "נועה|Noa איתי|Itai תמר|Tamar יונתן|Yonatan שירה|Shira עומר|Omer אביגיל|Avigail",
        "בן-|Ben- בר-|Bar- אבן-|Even-",
        "דוד|David חיים|Chaim שחר|Shachar זיו|Ziv גל|Gal ארי|Ari",
    ),
    "vi": _Culture(
        "Ánh Bảo Cường Dũng Hằng Khánh Linh Mỹ Ngọc Phượng Quỳnh Thảo Tuấn Yến",
        "Nguyễn Trần Lê Phạm Huỳnh Phan Vũ Đặng Bùi Đỗ Hồ Dương",
    ),
    "africa": _Culture(
        "Adébáyọ̀ Chidi Fọláṣadé Ngozi Ọlámídé Wanjiru Amara Kwame Thandiwe Zinhle Makena Ṣọlá Sipho",
        "Ade Aki Chu Ezi Kama Mba Ndi Nko Oba Oku Olu Wan",
        "bayo dike gaba koro kwu lade mbe nga si tunde yemi zulu",
    ),
    "pacific": _Culture(
        "Aroha Hēmi Kahurangi Māia Ngaio Pāora Tāne Wikitōria Leilani Keoni Sione Tevita",
        "Aka Fale Hā Kau Mana Ngā Paki Rangi Tama Tū Wai Whare",
        "hau hina kore loa mana moana nui rangi roa tama tea",
    ),
}


def ascii_of(text: str) -> str:
    """*text* in lower-case ASCII letters and digits, accents stripped; other scripts vanish."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
    return _UNSAFE.sub("", plain.lower())


def _parts(words: str) -> tuple[tuple[str, str], ...]:
    """(native, ASCII) of each blank-separated word."""
    pairs = (word.partition("|") for word in words.split())
    return tuple((native, ascii_of(latin or native)) for native, _, latin in pairs)


_PARTS = {
    culture: (_parts(parts.given), _parts(parts.stems), _parts(parts.endings) or (("", ""),))
    for culture, parts in _CULTURES.items()
}

CULTURES = tuple(_PARTS)


def invent_name(random: Random, culture: str | None = None) -> Name:
    """A name of *culture* (one of ``CULTURES``; any of them when not given)."""
    given, stems, endings = _PARTS[culture or pick(random, CULTURES)]
    first, first_ascii = pick(random, given)
    stem, stem_ascii = pick(random, stems)
    ending, ending_ascii = pick(random, endings)
    return Name(first, stem + ending, f"{first_ascii}.{stem_ascii}{ending_ascii}")


def email_of(local: str, employee_id: Key, domain: str = EMAIL_DOMAIN) -> str:
    """An ASCII address, unique because the employee id is in it (ids that differ only in case apart)."""
    tail = _UNSAFE.sub("-", employee_id.lower()).strip("-")
    return f"{local}.{tail}@{domain}"
