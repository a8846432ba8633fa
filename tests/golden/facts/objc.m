#import <Foundation/Foundation.h>
#import "Model/Parcel.h"
@import UIKit;
@class Label;

#define ACME_LIMIT 100

static NSString *const AcmeDefault = @"high";

typedef NS_ENUM(NSInteger, AcmeLevel) {
    AcmeLevelHigh,
    AcmeLevelLow = 3,
};

typedef void (^AcmeDone)(Parcel *parcel);

struct AcmePoint {
    int x;
};

/// Things that have a size.
@protocol AcmeSized <NSObject>
@property (nonatomic, readonly) NSUInteger size;
- (void)measure:(Parcel *)parcel;
@end

/**
 * Where parcels are kept.
 */
@interface AcmeStore : AcmeBase <AcmeSized, NSCopying>
@property (nonatomic, strong) NSArray<Parcel *> *parcels;
- (nullable Parcel *)parcelWithId:(NSInteger)ident level:(AcmeLevel)level;
+ (instancetype)sharedStore;
@end

@implementation AcmeStore {
    NSInteger _count;
}

// Makes the one.
+ (instancetype)sharedStore {
    static AcmeStore *shared;
    shared = [[AcmeStore alloc] init];
    return shared;
}

- (nullable Parcel *)parcelWithId:(NSInteger)ident level:(AcmeLevel)level {
    for (Parcel *parcel in self.parcels) {
        if (parcel.ident == ident && level == AcmeLevelHigh) {
            return [self check:parcel];
        }
    }
    return AcmeMissing(ident);
}

- (Parcel *)check:(Parcel *)parcel {
    [parcel saveWithDone:^(Parcel *saved) { [saved close]; }];
    [super measure:parcel];
    [[NSNotificationCenter defaultCenter] addObserver:self selector:@selector(check:) name:AcmeDefault object:nil];
    return parcel;
}
@end

@interface AcmeStore (Labels)
- (Label *)label;
@end

@implementation AcmeStore (Labels)
- (Label *)label {
    return [Label new];
}
@end

static Parcel *AcmeMissing(NSInteger ident) {
    return ident > ACME_LIMIT ? nil : [AcmeStore.sharedStore parcelWithId:1 level:AcmeLevelLow];
}
